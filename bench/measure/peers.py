"""Who is measured. A peer is a row: its scene, its parts with the command and the files of each, and the
programs that these need. In texts @name stands for what the runner knows: @port where clients arrive, @inner
between the two halves of a tunnel, @upstream, @name, @dir, @pem and so on; @{program} is a program's path.
All of them run one worker and write their usual line for each connection into a file; those that have none say so
in their note."""
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Part:
	role: str
	argv: tuple
	files: dict = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Peer:
	name: str
	scene: str		# static: one router by SNI; tunnel: two halves; terminate: TLS ends here, or in the second half;
				# mutual: the same, for clients with a certificate
	parts: tuple
	programs: tuple
	note: str = ""


def one(role, argv, **files):
	"""files: its configurations, with _ for the dot."""
	return Part(role, tuple(argv.split()), {name.replace("_", "."): text for name, text in files.items()})


RELAY = """
version: 1
workers: 1
listeners: [{address: "127.0.0.1:@port"}]
connect: {server_name: @connect_name, certificate: @relay_cert, private_key: @relay_key,
          agent_cas: [@agent_cas], agent_crls: [@agent_crls]}
state_dir: @dir
admin: {socket: @dir/relay.sock}
limits:
  flows_per_second: 0
"""
AGENT = """
version: 1
workers: 1
agent: {connect_url: ["@connect_name:@port"], connect_cas: @relay_cas, connect_crls: @relay_crls,
        certificate: @agent_cert, private_key: @agent_key, state_dir: @agent_dir}
"""
KEYS_WITHIN = "key_process: off\n"
ROUTE = "  agent_descriptors: 100\nroutes: [{server_name: @name, upstream: {url: tcp://127.0.0.1:@upstream}}]\n"
SEALED = 'endpoints: [{name: bench, url: "tls://@name", %supstream: {url: tcp://127.0.0.1:@upstream}}]\n'
ENDED = SEALED % "%sagent_tls_termination: {server_certificate: @cert, server_private_key: @key}, "
# All that an endpoint can do for every client at once: more than one certificate, a response for one, tickets.
ADORNED = SEALED % ("agent_tls_termination: {server_certificates: ["
	"{server_certificate: @cert, server_private_key: @key, server_ocsp_response: @staple}, "
	"{server_certificate: @rsa_cert, server_private_key: @rsa_key}]}, ")

# Who may come in is the last of eight that the rules know.
RULED = SEALED % ("agent_tls_termination: {server_certificate: @cert, server_private_key: @key, "
	"mutual_tls_certificate_authorities: [@client_cas], mutual_tls_crls: [@client_crls], clients: ["
	+ "".join(f"{{cn: other-{number}}}, " for number in range(7)) + "{cn: @client}]}, ")

HAPROXY = """
global
  log stdout format raw daemon
  nbthread 1
  %s
defaults
  mode tcp
  log global
  option tcplog
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  %s
"""
BY_SNI = """frontend clients
  bind 127.0.0.1:@port
  tcp-request inspect-delay 5s
  tcp-request content accept if { req_ssl_hello_type 1 }
  use_backend bench if { req_ssl_sni -i @name }
backend bench
  server bench 127.0.0.1:%s
"""
ENDING = """frontend clients
  bind 127.0.0.1:%s ssl crt @pem%s
  default_backend bench
backend bench
  server bench 127.0.0.1:@upstream
"""
JUDGING = (" ca-file @client_cas crl-file @client_crls verify required"
	"\n  tcp-request session reject unless { ssl_c_s_dn(cn) -m str @client }")
SPLICING = HAPROXY % ("tune.pipesize 1048576", "option splice-request\n  option splice-response")
PLAIN = HAPROXY % ("", "")

NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile @descriptors;
pid @dir/nginx.pid;
error_log @dir/nginx.error;
events { worker_connections @descriptors; }
stream {
  log_format usual '$remote_addr [$time_local] $status $bytes_sent $bytes_received $session_time';
  access_log @dir/nginx.access usual;
  map $ssl_preread_server_name $to { @name 127.0.0.1:@upstream; }
  %s
}
"""
NGINX_START = "@{nginx} -e @dir/nginx.error -p @dir -c @dir/nginx.conf"

SNIPROXY = """
user root
pidfile @dir/sniproxy.pid
error_log {
  filename @dir/sniproxy.error
}
listener 127.0.0.1:@port {
  proto tls
  table bench
  access_log {
    filename @dir/sniproxy.access
  }
}
table bench {
  @name 127.0.0.1:@upstream
}
"""
STUNNEL = """
foreground = yes
pid =
[bench]
accept = 127.0.0.1:@port
connect = 127.0.0.1:@upstream
cert = @pem
"""
HITCH = """
frontend = "[127.0.0.1]:@port"
backend = "[127.0.0.1]:@upstream"
pem-file = "@pem"
workers = 1
user = "nobody"
group = "nogroup"
"""
FRPS = """
bindAddr = "127.0.0.1"
bindPort = @inner
proxyBindAddr = "127.0.0.1"
vhostHTTPSPort = @port
transport.tcpMux = %s
"""
FRPC = """
serverAddr = "127.0.0.1"
serverPort = @inner
transport.tcpMux = %s
loginFailExit = false
transport.poolCount = 5
[[proxies]]
name = "bench"
type = "https"
localIP = "127.0.0.1"
localPort = @upstream
customDomains = ["@name"]
"""
RATHOLE_SERVER = """
[server]
bind_addr = "127.0.0.1:@inner"
default_token = "bench"
[server.services.bench]
bind_addr = "127.0.0.1:@port"
"""
RATHOLE_CLIENT = """
[client]
remote_addr = "127.0.0.1:@inner"
default_token = "bench"
[client.services.bench]
local_addr = "127.0.0.1:@upstream"
"""
NOISE = """
[%s.transport]
type = "noise"
[%s.transport.noise]
pattern = "Noise_XX_25519_ChaChaPoly_BLAKE2s"
"""
RATHOLE_TLS_SERVER = '[server.transport]\ntype = "tls"\n[server.transport.tls]\npkcs12 = "@p12"\npkcs12_password = "bench"\n'
RATHOLE_TLS_CLIENT = '[client.transport]\ntype = "tls"\n[client.transport.tls]\ntrusted_root = "@ca"\nhostname = "@name"\n'


def relay(more=""):
	return one("relay", "@{valise-relay} run -c @dir/relay.yml", relay_yml=RELAY + more)


def agent(endpoints):
	return one("agent", "@{valise-agent} run -c @dir/agent.yml", agent_yml=AGENT + endpoints)


def haproxy(role, text):
	return one(role, f"@{{haproxy}} -f @dir/{role}.cfg -db", **{f"{role}_cfg": text})


def nginx(server):
	return one("relay", NGINX_START, nginx_conf=NGINX % server)


def frp(mux):
	return (one("relay", "@{frps} -c @dir/frps.toml", frps_toml=FRPS % mux),
		one("agent", "@{frpc} -c @dir/frpc.toml", frpc_toml=FRPC % mux))


def rathole(server, client):
	return (one("relay", "@{rathole} --server @dir/server.toml", server_toml=RATHOLE_SERVER + server),
		one("agent", "@{rathole} --client @dir/client.toml", client_toml=RATHOLE_CLIENT + client))


OURS, NO_LINE = ("valise-relay", "valise-agent"), "writes no line for a connection"
PEERS = (
	Peer("valise", "static", (relay(ROUTE),), ("valise-relay",)),
	Peer("haproxy", "static", (haproxy("relay", PLAIN + BY_SNI % "@upstream"),), ("haproxy",), "as it comes"),
	Peer("haproxy best", "static", (haproxy("relay", SPLICING + BY_SNI % "@upstream"),), ("haproxy",),
		"splicing, pipes of 1 MiB"),
	Peer("nginx", "static", (nginx("server { listen 127.0.0.1:@port; ssl_preread on; proxy_pass $to; }"),), ("nginx",)),
	Peer("sniproxy", "static", (one("relay", "@{sniproxy} -f -c @dir/sniproxy.conf", sniproxy_conf=SNIPROXY),), ("sniproxy",)),
	Peer("bound", "static", (one("relay", "@{bench/load/bound_splice} @port @upstream"),), ("bench/load/bound_splice",),
		"own minimal C: splice, no name is read, no log"),

	Peer("valise", "tunnel", (relay(), agent(SEALED % "")), OURS, "sealed: TLS between the halves"),
	Peer("valise handoff", "tunnel", (relay(), agent(SEALED % "carrier: handoff, ")), OURS, "TLS until the flow is joined"),
	Peer("frp", "tunnel", frp("true"), ("frps", "frpc"), "TLS, one connection for all"),
	Peer("frp no mux", "tunnel", frp("false"), ("frps", "frpc"), "TLS, a connection for each flow"),
	Peer("rathole noise", "tunnel", rathole(NOISE % ("server", "server"), NOISE % ("client", "client")), ("rathole",),
		NO_LINE),
	Peer("rathole tls", "tunnel", rathole(RATHOLE_TLS_SERVER, RATHOLE_TLS_CLIENT), ("rathole",), NO_LINE),
	Peer("chisel", "tunnel", (one("relay", "@{chisel} server --host 127.0.0.1 --port @inner --reverse"),
		one("agent", "@{chisel} client http://127.0.0.1:@inner R:127.0.0.1:@port:127.0.0.1:@upstream")), ("chisel",),
		f"SSH, one connection for all; {NO_LINE}"),
	Peer("haproxy pair", "tunnel", (haproxy("relay", PLAIN + BY_SNI % "@inner ssl verify none"),
		haproxy("agent", PLAIN + ENDING % ("@inner", ""))), ("haproxy",), "TLS between two; the second one must be reachable"),
	Peer("minimal pair", "tunnel", (one("relay", "@{bench/load/bound_tls} seal @port @inner @name"),
		one("agent", "@{bench/load/bound_tls} end @inner @upstream @cert @key")), ("bench/load/bound_tls",),
		"own minimal C: a GnuTLS session for each flow, no name is read, no log; the second one must be reachable"),

	Peer("valise", "terminate", (relay(), agent(ENDED % "")), OURS, "sealed"),
	Peer("valise keys within", "terminate", (relay(KEYS_WITHIN), agent(KEYS_WITHIN + ENDED % "")), OURS, "sealed; key_process: off"),
	Peer("valise handoff", "terminate", (relay(), agent(ENDED % "carrier: handoff, ")), OURS),
	Peer("valise adorned", "terminate", (relay(), agent(ADORNED)), OURS, "sealed; two certificates, a stapled response"),
	Peer("haproxy", "terminate", (haproxy("agent", PLAIN + ENDING % ("@port", "")),), ("haproxy",), "no tunnel"),
	Peer("nginx", "terminate", (one("agent", NGINX_START, nginx_conf=NGINX % (
		"server { listen 127.0.0.1:@port ssl; ssl_certificate @pem; ssl_certificate_key @key; ssl_protocols TLSv1.3;"
		" proxy_pass 127.0.0.1:@upstream; }")),), ("nginx",), "no tunnel"),
	Peer("stunnel", "terminate", (one("agent", "@{stunnel} @dir/stunnel.conf", stunnel_conf=STUNNEL),), ("stunnel",), "no tunnel"),
	Peer("hitch", "terminate", (one("agent", "@{hitch} --config=@dir/hitch.conf", hitch_conf=HITCH),), ("hitch",), f"no tunnel; {NO_LINE}"),
	Peer("ghostunnel", "terminate", (one("agent", "@{ghostunnel} server --listen 127.0.0.1:@port --target 127.0.0.1:@upstream"
		" --cert @cert --key @key --disable-authentication"),), ("ghostunnel",), "no tunnel"),
	Peer("bound", "terminate", (one("agent", "@{bench/load/bound_tls} end @port @upstream @cert @key"),), ("bench/load/bound_tls",),
		"own minimal C: GnuTLS, no tunnel, no log"),
	Peer("minimal pair", "terminate", (one("relay", "@{bench/load/bound_tls} seal @port @inner @name"),
		one("agent", "@{bench/load/bound_tls} end-both @inner @upstream @cert @key")), ("bench/load/bound_tls",),
		"the same, in a second layer of TLS between two"),

	Peer("valise", "mutual", (relay(), agent(RULED)), OURS, "sealed; CRLs and eight rules"),
	Peer("haproxy", "mutual", (haproxy("agent", PLAIN + ENDING % ("@port", JUDGING)),), ("haproxy",),
		"no tunnel; CRLs and one rule"),
	Peer("nginx", "mutual", (one("agent", NGINX_START, nginx_conf=NGINX % (
		"server { listen 127.0.0.1:@port ssl; ssl_certificate @pem; ssl_certificate_key @key; ssl_protocols TLSv1.3;"
		" ssl_verify_client on; ssl_verify_depth 3; ssl_client_certificate @client_cas; ssl_crl @client_crls;"
		" proxy_pass 127.0.0.1:@upstream; }")),), ("nginx",), "no tunnel; CRLs, no rule"),
	Peer("ghostunnel", "mutual", (one("agent", "@{ghostunnel} server --listen 127.0.0.1:@port --target 127.0.0.1:@upstream"
		" --cert @cert --key @key --cacert @client_cas --allow-cn @client"),), ("ghostunnel",), "no tunnel; no CRLs, one rule"),
	Peer("bound", "mutual", (one("agent", "@{bench/load/bound_tls} judge @port @upstream @cert @key @client_cas @client_crls"),),
		("bench/load/bound_tls",), "own minimal C: GnuTLS judges clients, no tunnel, no log"),
)
OWN, SCENES = "valise", ("static", "tunnel", "terminate", "mutual")
