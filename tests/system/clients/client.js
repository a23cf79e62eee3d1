/* Told NAME PORT VERSION ROOTS [certificate=FILE key=FILE] a line, it asks there and says what it got, or what went wrong. */
const fs = require("fs"), readline = require("readline"), tls = require("tls");

function ask([name, port, version, roots, ...words], tell) {
	const offer = Object.fromEntries(words.map((word) => word.split("=", 2)));
	const limit = "TLSv" + version;
	const options = { host: "127.0.0.1", port, servername: name, ca: fs.readFileSync(roots), minVersion: limit, maxVersion: limit };
	if (offer.certificate)
		Object.assign(options, { cert: fs.readFileSync(offer.certificate), key: fs.readFileSync(offer.key) });
	let got = "", wrong = "";
	const socket = tls.connect(options, () => socket.write("GET / HTTP/1.0\r\n\r\n"));
	socket.on("data", (data) => { got += data; });
	socket.on("error", (error) => { wrong = error.message; });
	socket.on("close", () => tell(got ? "got " + got : "refused " + wrong));
}

const say = (text) => process.stdout.write(text.replace(/\s+/g, " ") + "\n");
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => ask(line.split(" "), say));
