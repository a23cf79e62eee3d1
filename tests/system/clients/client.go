// Told NAME PORT VERSION ROOTS [certificate=FILE key=FILE] [alpn=PROTOCOL] [suite=HEX] a line, it asks there and
// says what it got, or what went wrong.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

func ask(words []string) (string, error) {
	roots, err := os.ReadFile(words[3])
	if err != nil {
		return "", err
	}
	limit := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[words[2]]
	config := &tls.Config{ServerName: words[0], RootCAs: x509.NewCertPool(), MinVersion: limit, MaxVersion: limit}
	config.RootCAs.AppendCertsFromPEM(roots)
	offer := map[string]string{}
	for _, word := range words[4:] {
		key, value, _ := strings.Cut(word, "=")
		offer[key] = value
	}
	if offer["certificate"] != "" {
		own, err := tls.LoadX509KeyPair(offer["certificate"], offer["key"])
		if err != nil {
			return "", err
		}
		// Else it shows none whose CA the server does not name.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	if offer["alpn"] != "" {
		config.NextProtos = []string{offer["alpn"]}
	}
	if offer["suite"] != "" {
		suite, err := strconv.ParseUint(offer["suite"], 16, 16)
		if err != nil {
			return "", err
		}
		config.CipherSuites = []uint16{uint16(suite)}
	}
	stream, err := tls.Dial("tcp", "127.0.0.1:"+words[1], config)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	fmt.Fprint(stream, "GET / HTTP/1.0\r\n\r\n")
	answer, err := io.ReadAll(stream)
	return string(answer), err
}

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer, err := ask(strings.Fields(lines.Text()))
		told := "got " + answer
		if answer == "" {
			told = fmt.Sprint("refused ", err)
		}
		fmt.Println(strings.Join(strings.Fields(told), " "))
	}
}
