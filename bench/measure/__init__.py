"""What `make bench` is made of: peers and workloads are tables, the runner takes them in turns, and what it
found is one JSON that the report, the plots and bench/compare read.

	peers.py      who is measured, and with which configuration
	programs.py   where each peer's program is found
	workloads.py  what they do, and what of it is measured
	runner.py     A B A B: starts the peers, runs the load generators
	results.py    the JSON and its rows
	report.py     tables, plot.py: pictures
"""
