#!/bin/sh
# run.sh - pytest over the analysis with the interpreter that can run it; arguments go to pytest.
python=$("$(dirname "$0")/../../scripts/find_python.sh" numpy pandas scipy matplotlib pytest) || exit 1
exec "$python" -m pytest "$@"
