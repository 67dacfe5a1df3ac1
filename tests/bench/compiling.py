"""The row of the build that tests/demo.sh does, in a fresh clone of what is committed."""

import os
import shutil
from collections.abc import Iterator

from figures import Figure, Goal, Row
from processes import run
from session import Session

# Without a compiler cache, which would have it all.
CACHELESS = {"CCACHE_DISABLE": "1"}


def build(session: Session) -> Iterator[Figure]:
    targets = "tusfs tusfsctl tus-fixture-server" if session.sizes.whole_build else "tusfs_base"

    def measure(number: int) -> dict:
        clone = session.fresh("clone") / "tusfs"
        run("git", "clone", "-q", session.root, clone)
        script = (
            f". tests/dependencies.sh; configure build && cmake --build build -j {os.cpu_count()} "
            f"--target {targets} >build/log 2>&1 || {{ tail -n 20 build/log >&2; exit 1; }}"
        )
        built = run("sh", "-c", script, cwd=clone, **CACHELESS)
        taken = {"CPU": built.cpu, "seconds": built.seconds}
        if session.sizes.whole_build:
            demo = run("sh", "tests/demo.sh", cwd=clone, **CACHELESS)
            taken["demo"] = built.seconds + demo.seconds
        shutil.rmtree(clone)
        return taken

    values = session.in_turns(0, measure)
    yield Figure(f"CPU of a build of {targets}", "s", values["CPU"], goal=Goal("value", 300))
    yield Figure("the same, by the clock", "s", values["seconds"])
    if "demo" in values:
        goal = Goal("value", 240, below=True)
        yield Figure("tests/demo.sh from a fresh clone", "s", values["demo"], goal=goal)


ROWS = (Row("build", "CPU and time of tests/demo.sh's build in a fresh clone", build),)
