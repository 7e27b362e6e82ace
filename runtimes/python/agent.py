"""Runs one function version in a container, for the invoker at the other end of the socket. START HERE.

The protocol is in core/frames.ts. Standard library only, Python 3.9 or later. Knows nothing of pools, deadlines or
limits: the invoker kills what does not end.
"""

import sys

sys.path.insert(0, "/opt/hearth")

from hearth_agent.serve import main  # noqa: E402

# Only the function's own folder is searched from here on: no name of ours may stand before one of its modules.
sys.path.pop(0)
main()
