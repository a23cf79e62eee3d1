#!/usr/bin/env -S python3 -B
"""valise-sni: streams and captures in, one JSON object each out."""
import csv
import json
import os
import re
import struct

from lib import *

CORPUS = "tests/corpus/clienthello"
PAGE = "man/valise-sni.1"


def sni(*arguments, data=b""):
	return run(PROGRAMS["sni"], *arguments, data=data)


def ask(*arguments, data=b"", status=0):
	"""The objects it prints."""
	got, out, err = sni(*arguments, data=data)
	equal(got, status, f"exit status of {arguments}: {err}")
	return [json.loads(line) for line in out.decode().splitlines()]


def write(scene, name, data):
	path = f"{scene.dir}/{name}"
	with open(path, "wb") as file:
		file.write(data)
	return path


def case(name):
	with open(f"{CORPUS}/{name}", "rb") as file:
		return file.read()


# ---- captures, made here ----

def ipv4(payload, source, target):
	return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, 6, 0, source, target) + payload


def ipv6(payload, source, target):
	return struct.pack("!IHBB16s16s", 6 << 28, len(payload), 6, 64, source, target) + payload


def tcp(source, target, sequence, data=b"", flags=0x10, options=b""):
	return struct.pack("!HHIIBBHHH", source, target, sequence & 0xffffffff, 0,
		(5 + len(options) // 4) << 4, flags, 512, 0, 0) + options + data


def ethernet(packet, vlan=False):
	kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
	return bytes(12) + (b"\x81\x00\x00\x07" if vlan else b"") + kind + packet


def pcap(packets, link=1):
	return struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, link) + b"".join(
		struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet for packet in packets)


def pcapng(packets):
	def block(kind, body):
		body += bytes(-len(body) % 4)
		size = struct.pack("<I", len(body) + 12)
		return struct.pack("<I", kind) + size + body + size

	out = block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 0))
	for packet in packets:
		out += block(6, struct.pack("<IIIII", 0, 0, 0, len(packet), len(packet)) + packet)
	return out


A, B = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
SYN, SYN_ACK = 0x02, 0x12


def segments(data, port=40000, sequence=7, sizes=1448):
	"""SYN, its answer, and the data in pieces, as Ethernet packets."""
	packets = [ipv4(tcp(port, 443, sequence, flags=SYN, options=b"\2\4\5\xb4"), A, B),
		ipv4(tcp(443, port, 99, flags=SYN_ACK), B, A)]
	for at in range(0, len(data), sizes):
		packets.append(ipv4(tcp(port, 443, sequence + 1 + at, data[at:at + sizes]), A, B))
	return [ethernet(p) for p in packets]


# ---- streams ----

@test
def tells_what_each_row_of_the_corpus_says(scene):
	with open(f"{CORPUS}/manifest.tsv", encoding="ascii") as file:
		rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
	paths = [f"{CORPUS}/{row['file']}" for row in rows]
	answers = ask("--hello-bytes", "64KiB", *paths, status=1)
	equal([a["file"] for a in answers], paths, "files")
	for row, answer in zip(rows, answers):
		if row["strict"] != "must":
			continue
		equal(answer["verdict"], row["verdict"], row["file"])
		if row["verdict"] != "complete":
			continue
		equal(answer["server_name"] or "-", row["sni"], row["file"])
		equal(",".join(answer["alpn"]) or "-", row["alpn"], row["file"])
		for column in ("record-count", "hello-bytes", "wire-bytes"):
			equal(answer[column.replace("-", "_")], int(row[column]), f"{row['file']} {column}")
		equal((answer["ech"], answer["tls13"]), (row["has_ech"] == "1", row["tls13"] == "1"), row["file"])


@test
def tells_all_of_a_complete_hello(scene):
	[answer] = ask(f"{CORPUS}/053-g-chromium-h2-1.bin")
	equal(answer, {"verdict": "complete", "server_name": "chromium.example.com",
		"server_name_sent": "chromium.example.com", "alpn": ["h2", "http/1.1"], "record_count": 1,
		"hello_bytes": 1987, "wire_bytes": 1992, "ech": True, "tls13": True, "early_data": False,
		"post_quantum": True, "ja4": "t13d1517h2_8daaf6152771_cb7bf5808d99"})
	[answer] = ask(f"{CORPUS}/022-g-ossl-early.bin")
	equal(answer["early_data"], True, "early data")
	[answer] = ask(f"{CORPUS}/007-g-ossl-nosni.bin")
	equal((answer["server_name"], answer["alpn"]), (None, []), "a hello without a name")
	[answer] = ask(f"{CORPUS}/014-g-ossl-dot.bin")
	equal((answer["server_name"], answer["server_name_sent"]),
		("trailing.example.com", "trailing.example.com."), "a trailing dot")


@test
def reads_standard_input(scene):
	for arguments in ((), ("-",)):
		[answer] = ask(*arguments, data=case("001-g-ossl-default.bin"))
		equal(answer["server_name"], "alpha.example.com", "name")
		check("file" not in answer, "a file is named")


@test
def says_why_and_with_which_alert_it_refuses(scene):
	for name, verdict, reason, alert in (
		("169-sni-nul-inside.bin", "malformed", "not-a-host-name", 47),
		("147-size-record-16385.bin", "malformed", "record-too-large", 22),
		("179-sni-duplicate-extension.bin", "malformed", "duplicate-extension", 110),
		("148-size-32768.bin", "malformed", "hello-too-large", 47),
		("237-http-get.bin", "not-tls", "not-handshake", None)):
		[answer] = ask(f"{CORPUS}/{name}", status=1)
		equal((answer["verdict"], answer["reason"], answer["alert"]), (verdict, reason, alert), name)
	[answer] = ask(f"{CORPUS}/208-trunc-001.bin", status=1)
	equal((answer["verdict"], "reason" in answer), ("incomplete", False), "a cut stream")


@test
def speaks_to_people_too(scene):
	status, out, err = sni("--text", f"{CORPUS}/262-alpn-odd-bytes.bin", f"{CORPUS}/237-http-get.bin",
		f"{CORPUS}/007-g-ossl-nosni.bin", f"{CORPUS}/169-sni-nul-inside.bin")
	equal(status, 1, err)
	text = out.decode()
	for line in (f"{CORPUS}/262-alpn-odd-bytes.bin: complete\n", "  server name   harbor107.example.com\n",
		"  ALPN          a\\x2cb, c\\x20d, \\x00, \\xff\\xfe\n", "  post-quantum  no\n", "  TLS 1.3       yes\n",
		"237-http-get.bin: not-tls\n  reason        not-handshake\n", "  alert         47\n",
		"  server name   none\n", "  hello bytes   293\n"):
		check(line in text, f"{line!r} is not in {text}")


@test
def tells_usage_and_missing_files_apart(scene):
	for arguments, status in ((("--nix",), 64), (("--hello-bytes", "65KiB"), 64), (("-b", "x"), 64), (("-b", "0"), 64),
		((f"{scene.dir}/none",), 66), ((scene.dir,), 66), ((f"{scene.dir}/none", f"{CORPUS}/001-g-ossl-default.bin"), 66),
		(("--help",), 0), (("--version",), 0)):
		got, out, err = sni(*arguments)
		equal(got, status, f"{arguments} {err}")
		check(out or err, f"{arguments} is answered with nothing")


@test
def notices_that_its_answer_is_lost(scene):
	status, out, err = run("sh", "-c", f"'{PROGRAMS['sni']}' {CORPUS}/001-g-ossl-default.bin > /dev/full")
	equal(status, 71, err)


@test
def names_a_file_whose_name_is_no_text(scene):
	paths = []
	for name in (b"\xff.bin", b"b.bin"):
		paths.append(os.fsdecode(scene.dir.encode() + b"/" + name))
		with open(paths[-1], "wb") as file:
			file.write(case("001-g-ossl-default.bin"))
	answers = ask(*paths)
	check(answers[0]["file"].endswith("\\xff.bin"), answers)


# ---- captures ----

@test
def reads_the_connections_of_a_capture(scene):
	big, small = case("053-g-chromium-h2-1.bin"), case("001-g-ossl-default.bin")
	packets = segments(big, 40000) + segments(small, 40001, sequence=0xfffffff0, sizes=50) + segments(b"", 40002)
	for name, data in (("a.pcap", pcap(packets)), ("a.pcapng", pcapng(packets))):
		answers = ask(write(scene, name, data), status=1)
		equal([(a["client"], a["server"], a["verdict"], a["server_name"]) for a in answers], [
			("192.0.2.1:40000", "192.0.2.2:443", "complete", "chromium.example.com"),
			("192.0.2.1:40001", "192.0.2.2:443", "complete", "alpha.example.com"),
			("192.0.2.1:40002", "192.0.2.2:443", "incomplete", None)], name)
	answers = ask(data=pcap(packets[:2] + packets[2:4]))
	equal(answers[0]["server_name"], "chromium.example.com", "a capture on standard input")
	[text] = [sni("-t", f"{scene.dir}/a.pcap")[1].decode()]
	check("192.0.2.1:40000 to 192.0.2.2:443: complete\n" in text, text)
	answers = ask(f"{scene.dir}/a.pcap", f"{CORPUS}/001-g-ossl-default.bin", status=1)
	equal([a.get("client") is None for a in answers], [False] * 3 + [True], "a capture and a stream")


@test
def puts_segments_in_order(scene):
	data = case("053-g-chromium-h2-1.bin")
	packets = segments(data, sizes=100)
	head, rest = packets[:2], packets[2:]
	for order in (rest[::-1], rest + rest, rest[1:3] + rest[:2] + rest[5:] + rest[1:], rest[::2] + rest[1::2]):
		[answer] = ask(data=pcap(head + order))
		equal(answer["server_name"], "chromium.example.com", "segments out of order")
	[answer] = ask(data=pcap(head + rest[1:]), status=1)
	equal(answer["verdict"], "incomplete", "a segment that the capture lacks")
	overlapping = head + [ethernet(ipv4(tcp(40000, 443, 8 + at, data[at:at + 150]), A, B)) for at in range(0, len(data), 90)]
	[answer] = ask(data=pcap(overlapping))
	equal(answer["hello_bytes"], 1987, "segments that overlap")


@test
def holds_no_more_of_a_connection_than_a_hello_can_take(scene):
	head = segments(b"")
	def piece(at, data):
		return ethernet(ipv4(tcp(40000, 443, 8 + at, data), A, B))
	far = [piece(100000, b"x"), piece(98300, b"x" * 100), piece(-5, b"keep alive")]
	gaps = [piece(5 + 2 * i, b"x") for i in range(1100)]
	[answer] = ask(data=pcap(head + far + gaps), status=1)
	equal(answer["verdict"], "incomplete", "pieces with gaps between them")
	[answer] = ask(data=pcap(head + far + [piece(0, case("001-g-ossl-default.bin")), piece(323, b"more")]))
	equal(answer["verdict"], "complete", "and the hello")


@test
def takes_whoever_speaks_first_for_the_client_where_the_syn_is_missing(scene):
	hello = case("001-g-ossl-default.bin")
	answers = [ethernet(ipv4(tcp(443, 40000, 1, data, flags), B, A)) for data, flags in ((b"", SYN_ACK), (b"", 0x10), (b"answer", 0x10))]
	[answer] = ask(data=pcap(answers[:2] + segments(hello)[2:] + answers))
	equal((answer["client"], answer["verdict"]), ("192.0.2.1:40000", "complete"), "client")


@test
def tells_two_connections_between_the_same_ends_apart(scene):
	packets = segments(case("001-g-ossl-default.bin"), sequence=7) + segments(case("002-g-ossl-tls12.bin"), sequence=70007)
	packets.insert(1, packets[0])
	equal([a["server_name"] for a in ask(data=pcap(packets))], ["alpha.example.com", "bravo.example.com"], "names")


@test
def keeps_many_connections_apart(scene):
	"""More than its table has slots, so that several share one."""
	hello = case("001-g-ossl-default.bin")
	packets = []
	for i in range(9000):
		source = bytes([10, 0, i >> 8, i & 255])
		packets.append(ipv4(tcp(40000 + i % 7, 443, i, flags=SYN), source, B))
		packets.append(ipv4(tcp(443, 40000 + i % 7, i, flags=SYN_ACK), B, source))
	for i in range(9000):
		packets.append(ipv4(tcp(40000 + i % 7, 443, i + 1, hello), bytes([10, 0, i >> 8, i & 255]), B))
	answers = ask(data=pcap(packets, 101))
	equal((len(answers), {a["verdict"] for a in answers}), (9000, {"complete"}), "connections")


@test
def knows_the_usual_link_layers_and_ipv6(scene):
	hello = case("001-g-ossl-default.bin")
	four = ipv4(tcp(40000, 443, 1, hello), A, B)
	options = b"\x46" + four[1:20] + bytes(4) + four[20:]
	options = options[:2] + struct.pack("!H", len(options)) + options[4:]
	offloaded = four[:2] + b"\0\0" + four[4:]
	segment = tcp(40000, 443, 1, hello)
	extended = struct.pack("!IHBB16s16s", 6 << 28, len(segment) + 8, 0, 64, bytes(15) + b"\1", bytes(15) + b"\1") + b"\x06" + bytes(7) + segment
	six = ipv6(segment, bytes(15) + b"\1", bytes(15) + b"\2")
	for name, link, packet in (("Ethernet", 1, ethernet(four)), ("VLAN", 1, ethernet(four, vlan=True)), ("IPv6", 1, ethernet(six)),
		("padded", 1, ethernet(four) + bytes(9)), ("raw", 101, four), ("raw 6", 101, six), ("raw as BSD has it", 12, four),
		("loopback", 0, b"\2\0\0\0" + four), ("OpenBSD loopback", 108, b"\0\0\0\2" + four), ("cooked", 113, bytes(14) + b"\x08\x00" + four),
		("cooked 2", 276, b"\x08\x00" + bytes(18) + four), ("IPv4", 228, four), ("IPv6 only", 229, six),
		("QinQ", 1, bytes(12) + b"\x88\xa8\0\1\x81\0\0\2\x08\0" + four), ("IP options", 101, options), ("offloaded", 101, offloaded), ("extension header", 101, extended)):
		[answer] = ask(data=pcap([packet], link))
		equal(answer["server_name"], "alpha.example.com", name)
		check(answer["client"].startswith("[" if packet in (six, extended, ethernet(six)) else "192"), answer["client"])


@test
def passes_over_what_is_no_tcp(scene):
	hello = case("001-g-ossl-default.bin")
	four = ipv4(tcp(40000, 443, 1, hello), A, B)
	fragment = four[:6] + b"\0\1" + four[8:]
	udp = four[:9] + b"\x11" + four[10:]
	short_header = four[:20] + four[20:32] + b"\x10" + four[33:]
	endless = struct.pack("!IHBB16s16s", 6 << 28, 8, 0, 64, A * 4, B * 4) + b"\0\0" + bytes(6)
	odd = [endless, fragment, udp, short_header, b"\x44" + four[1:], b"\x00" + four[1:], four[:30], four[:10], b"", four[:39],
		ipv6(b"", A * 4, B * 4)[:30], ipv6(b"x", A * 4, B * 4)]
	status, out, err = sni(data=pcap(odd, 101))
	equal((status, out), (1, b""), err)
	check("no TCP connection" in err, err)
	equal(ask(data=pcap(odd + [four], 101))[0]["verdict"], "complete", "one among them")
	equal(ask(data=pcap([ethernet(four)[:20] + ethernet(four)[20:40], ethernet(four)]))[0]["verdict"], "complete", "a cut one")
	status, out, err = sni(data=pcap([bytes(12) + b"\x08\x06" + bytes(28)]))
	equal(status, 1, err)


@test
def says_what_is_wrong_with_a_capture(scene):
	hello = segments(case("001-g-ossl-default.bin"))
	status, out, err = sni(data=pcap(hello)[:-10])
	equal((status, out.count(b"\n")), (65, 1), err)
	for data in (pcap(hello, link=105), pcap(hello)[:20]):
		status, out, err = sni(data=data)
		equal(status, 65, err)


@test
def its_manual_shows_what_it_prints(scene):
	with open(PAGE) as file:
		page = file.read()
	[answer] = ask(f"{CORPUS}/053-g-chromium-h2-1.bin")
	for key in answer:
		check(re.search(rf"^\.It Li {key}$", page, re.M), f"{key} is not in {PAGE}")
	shown = re.search(r"^\.Bd -literal -offset indent\n\$ valise-sni --text (\S+)\n(.*?)^\.Ed", page, re.M | re.S)
	status, out, err = sni("--text", f"{CORPUS}/{shown.group(1)}")
	equal(shown.group(2), out.decode(), "the example")


main()
