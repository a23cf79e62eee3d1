"""TAP: runs the tests of one file in order and says what went wrong."""
import faulthandler
import os
import sys
import time
import traceback

_tests = []
HANG_SECONDS = 280


class Failed(Exception):
	pass


class Skipped(Exception):
	"""Says what this machine lacks for the test."""


def test(function):
	_tests.append(function)
	return function


def test_over(*ways):
	"""The same test for each of several ways, which it gets as second argument."""
	def register(function):
		for way in ways:
			def one(scene, way=way):
				function(scene, way)
			one.__name__ = f"{function.__name__} over {getattr(way, '__name__', way)}"
			_tests.append(one)
		return function
	return register


def check(truth, sentence):
	if not truth:
		raise Failed(sentence)


def equal(got, wanted, what="value"):
	if got != wanted:
		raise Failed(f"{what}: got {got!r}, wanted {wanted!r}")


def fails(kind, function, *arguments):
	"""Calls and returns the exception, which must be of that kind."""
	try:
		result = function(*arguments)
	except kind as error:
		return error
	raise Failed(f"{function} gave {result!r}, should have failed with {kind}")


def skip(reason):
	"""Ends a test that this machine cannot run; the reason is printed beside it."""
	raise Skipped(reason)


def often(times, sample):
	"""How often to try what goes wrong once in a while: all the times where VALISE_TIMES=full, as
	`.ci/run` has it, a sample of them in a `make check` that somebody waits for."""
	return times if os.environ.get("VALISE_TIMES") == "full" else sample


def progress():
	"""A step of a test is done: not how long a file takes tells that it hangs, but that it comes no further."""
	faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)


PATIENCE = 20	# for what only has to come; a number is given where it is promised to come so soon


def until(question, seconds=PATIENCE, what=None):
	"""Asks again and again until the answer is true, and returns it: at first soon, then a tenth of the time later."""
	began = time.monotonic()
	while True:
		answer = question()
		if answer:
			progress()
			return answer
		waited = time.monotonic() - began
		if waited > seconds:
			raise Failed(f"not within {seconds} s: {what or question}")
		time.sleep(min(max(waited / 10, 0.01), 0.2))



def _where():
	"""The exception, and where in the tests it came from."""
	kind, error, trace = sys.exc_info()
	frames = [f for f in traceback.extract_tb(trace) if "/tests/system/" in os.path.abspath(f.filename)]
	places = "".join(f"  {f.filename}:{f.lineno} {f.line}\n" for f in frames if f.name != "_run")
	return places + ("" if kind is Failed else kind.__name__ + ": ") + str(error) + "\n"


def _run(function):
	"""(What went wrong, why it was skipped): both empty when it passed."""
	from .scene import Scene

	scene = Scene()
	trouble = skipped = ""
	try:
		function(scene)
	except Skipped as reason:
		skipped = str(reason)
	except Exception:
		trouble = _where()
	trouble += scene.close()
	if trouble:
		trouble += scene.story()
	scene.remove()
	return trouble, skipped


def main():
	wanted = sys.argv[1:]
	tests = [t for t in _tests if not wanted or any(w in t.__name__ for w in wanted)]
	print(f"1..{len(tests)}", flush=True)
	failed = 0
	for number, function in enumerate(tests, 1):
		progress()
		started = time.monotonic()
		trouble, skipped = _run(function)
		seconds = time.monotonic() - started
		name = function.__name__.replace("_", " ")
		print(f"{'not ok' if trouble else 'ok'} {number} - {name}{skipped and f' # SKIP {skipped}'}", flush=True)
		print(f"# {seconds:.1f} s")
		for line in (trouble or skipped and f"skipped: {name}: {skipped}").splitlines():	# where prove shows it
			print("#", line, file=sys.stderr, flush=True)
		failed += bool(trouble)
	sys.exit(1 if failed else 0)
