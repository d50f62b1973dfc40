"""What differs between operating systems. The paths for Windows run here too, as far as their parts exist on this one."""

import ast
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

from trinch import system

SRC = Path(__file__).parents[1] / "src" / "trinch"

UNIX_MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
UNIX_CALLS = {
    "os.fork", "os.forkpty", "os.getppid", "os.getuid", "os.killpg", "os.mkfifo", "os.nice", "os.pread", "os.pwrite",
    "os.sched_setaffinity", "os.setsid", "signal.SIGKILL", "signal.SIGPROF", "signal.SIGUSR1", "signal.alarm",
    "signal.pause", "signal.setitimer", "socket.AF_UNIX",
}  # fmt: skip
ALLOWED = {
    "system.py": "where the alternatives are",
    "server/workers/cpu_limit.py": "the kernel's timer, and a thread where there is none",
    "server/run.py": "the Unix socket that was asked for",
    "training/throughput.py": "the memory of a process; 0 where the system does not say",
}


def unix_only(path: Path) -> set[str]:
    """Modules and calls in a file that Windows does not have."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names} & UNIX_MODULES
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {f"{node.value.id}.{node.attr}"} & UNIX_CALLS
    return found


def test_calls_of_unix_alone_are_where_their_alternative_is() -> None:
    found = {str(path.relative_to(SRC)): names for path in SRC.rglob("*.py") if (names := unix_only(path))}
    assert found.keys() == ALLOWED.keys(), found


@pytest.mark.parametrize("windows", [False, True])
def test_a_lock_is_held_by_one_process(
    windows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if windows:
        pytest.importorskip("portalocker", reason="portalocker, which Windows uses, is not installed")
    monkeypatch.setattr(system, "WINDOWS", windows)
    path = tmp_path / "lock"
    other = (
        "import sys; from trinch import system; system.WINDOWS = sys.argv[2] == 'True';"
        "print(system.lock(open(sys.argv[1], 'a'), wait=False))"
    )

    def taken_elsewhere() -> str:
        command = [sys.executable, "-c", other, str(path), str(windows)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with path.open("a") as file:
        assert system.lock(file)
        assert taken_elsewhere() == "False"
    assert taken_elsewhere() == "True"


@pytest.mark.parametrize("how", ["by_kernel", "by_thread"])
def test_a_task_ends_at_its_limit_of_processor_time(how: str) -> None:
    program = (
        "from trinch.server.workers import cpu_limit as c\n"
        f"with c.{how}(30): pass\n"  # a task that ends in time leaves nothing behind
        f"with c.{how}(0.2):\n"
        "    while True: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=60)
    from trinch.server.workers.cpu_limit import EXIT_CODES

    assert done.returncode in EXIT_CODES


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork server")
def test_workers_are_spawned_where_there_is_no_fork_server(monkeypatch: pytest.MonkeyPatch) -> None:
    assert system.process_context().get_start_method() == "forkserver"
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    assert system.process_context().get_start_method() == "spawn"


def test_modules_that_windows_lacks_are_not_needed_to_import(tmp_path: Path) -> None:
    """The command line, the server and the Python API import without them, as they must there."""
    program = (
        "import sys, os, signal, socket\n"
        f"sys.modules.update(dict.fromkeys({sorted(UNIX_MODULES)!r}))\n"
        "for module, name in ((os, 'nice'), (signal, 'setitimer'), (signal, 'SIGPROF'), (socket, 'AF_UNIX')):\n"
        "    delattr(module, name)\n"
        "import trinch, trinch.service.session, trinch.server.workers.cpu_limit as c\n"
        "import trinch.server.workers.worker_pool, trinch.stories.counter, trinch.alerts.engine, trinch.system as s\n"
        "assert c.cpu_limit is c.by_thread\n"
        "s.lower_priority(5)\n"
        "assert s.raise_file_limit(99) == 99\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
