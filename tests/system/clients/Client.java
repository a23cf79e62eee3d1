import java.io.*;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.security.cert.Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import javax.net.ssl.*;

/** Told NAME PORT VERSION ROOTS [certificate=FILE key=FILE] [alpn=PROTOCOL] [suite=NAME] a line, it asks there and
 * says what it got, or what went wrong. */
public class Client {
	/** Shows its certificate to every server, as others do. */
	static class Own extends X509ExtendedKeyManager {
		final X509Certificate[] chain;
		final PrivateKey key;

		Own(X509Certificate[] chain, PrivateKey key) {
			this.chain = chain;
			this.key = key;
		}

		public String[] getClientAliases(String type, Principal[] issuers) { return new String[] { "own" }; }
		public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) { return "own"; }
		public String[] getServerAliases(String type, Principal[] issuers) { return null; }
		public String chooseServerAlias(String type, Principal[] issuers, Socket socket) { return null; }
		public X509Certificate[] getCertificateChain(String alias) { return chain; }
		public PrivateKey getPrivateKey(String alias) { return key; }
	}

	static Collection<? extends Certificate> certificates(String path) throws Exception {
		try (InputStream in = new FileInputStream(path)) {
			return CertificateFactory.getInstance("X.509").generateCertificates(in);
		}
	}

	static TrustManager[] trust(String path) throws Exception {
		KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
		store.load(null);
		for (Certificate one : certificates(path))
			store.setCertificateEntry("root" + store.size(), one);
		TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
		factory.init(store);
		return factory.getTrustManagers();
	}

	static KeyManager[] own(String certificate, String key) throws Exception {
		String text = Files.readString(Path.of(key)).replaceAll("-----[A-Z ]+-----|\\s", "");
		PrivateKey secret = KeyFactory.getInstance("EC")
			.generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(text)));
		return new KeyManager[] { new Own(certificates(certificate).toArray(new X509Certificate[0]), secret) };
	}

	static String ask(String[] words) throws Exception {
		Map<String, String> offer = new HashMap<>();
		for (String word : Arrays.copyOfRange(words, 4, words.length))
			offer.put(word.split("=", 2)[0], word.split("=", 2)[1]);
		SSLContext context = SSLContext.getInstance("TLS");
		context.init(offer.containsKey("certificate") ? own(offer.get("certificate"), offer.get("key")) : null,
			trust(words[3]), null);
		Socket plain = new Socket("127.0.0.1", Integer.parseInt(words[1]));
		try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, words[0], 443, true)) {
			socket.setEnabledProtocols(new String[] { "TLSv" + words[2] });
			SSLParameters parameters = socket.getSSLParameters();
			parameters.setEndpointIdentificationAlgorithm("HTTPS");
			if (offer.containsKey("alpn"))
				parameters.setApplicationProtocols(new String[] { offer.get("alpn") });
			if (offer.containsKey("suite"))
				parameters.setCipherSuites(new String[] { offer.get("suite") });
			socket.setSSLParameters(parameters);
			socket.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes());
			return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
		}
	}

	public static void main(String[] none) throws Exception {
		BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
		for (String line; (line = lines.readLine()) != null;) {
			String told;
			try {
				told = "got " + ask(line.split(" "));
			} catch (Exception wrong) {
				told = "refused " + wrong.getMessage();
			}
			System.out.println(told.replaceAll("\\s+", " "));
		}
	}
}
