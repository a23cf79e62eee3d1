"""ClientHellos as OpenSSL writes them, and other ways to put them in records."""
import ssl


def hello(name, *, alpn=None, version=None):
	"""The wire bytes of one ClientHello; name None: without SNI."""
	context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
	context.check_hostname = False
	context.verify_mode = ssl.CERT_NONE
	if alpn:
		context.set_alpn_protocols(alpn)
	if version:
		context.minimum_version = context.maximum_version = version
	incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
	try:
		context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
	except ssl.SSLWantReadError:
		pass
	return outgoing.read()


def records(wire, piece):
	"""The same handshake message in records of `piece` bytes."""
	message = wire[5:]
	return b"".join(wire[:3] + len(part).to_bytes(2, "big") + part
		for part in (message[i:i + piece] for i in range(0, len(message), piece)))
