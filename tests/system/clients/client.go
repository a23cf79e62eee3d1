// Told NAME PORT VERSION ROOTS [CERTIFICATE KEY] a line, it asks there and says what it got, or what went wrong.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
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
	if len(words) > 4 {
		own, err := tls.LoadX509KeyPair(words[4], words[5])
		if err != nil {
			return "", err
		}
		// Else it shows none whose CA the server does not name.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
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
