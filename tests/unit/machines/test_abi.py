"""The system-call machine against the manual pages, and, where the running kernel lets a user make namespaces, against it.

Sections are of the Linux man-pages project."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest
import small_machines as small

from machines import machine
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Truth
from popek_grammar.assembly.assemble import assemble, assemble_line
from popek_grammar.assembly.decode import encode
from popek_grammar.assembly.disassemble import disassemble_word
from popek_vmm.oracle import Oracle

CONTAINED, SUPERVISOR = 0, 1
MONITOR = 0x8000


Arrays = Mapping[str, Mapping[int, int]]


def ran(config: str, text: str, state: Mapping[str, int] | None = None, arrays: Arrays | None = None) -> Oracle:
    """A program on the oracle, contained, to its last line or to the supervisor."""
    made = machine("abi/abi.isa", config)
    oracle = Oracle(made)
    cells = assemble(made, text).image()[1]
    oracle.load(list(cells), 0)
    oracle.set_state({"mode": CONTAINED, **(state or {})}, arrays or {})
    for _ in range(200):
        if oracle.scalars["pc"] in (len(cells), MONITOR):
            return oracle
        oracle.step()
    raise AssertionError("the program does not end")


def register(oracle: Oracle, number: int) -> int:
    """A result, negative when it is an errno."""
    value = oracle.arrays["X"].get(number, 0)
    return value - 0x10000 if value >> 15 else value


def refused(oracle: Oracle) -> bool:
    return oracle.scalars["pc"] == MONITOR and oracle.scalars["why"] == 1


# -- results and errors -------------------------------------------------------------------------------------------------

FILES = """
    li x1, 6
    open x2, x1
    li x3, 77
    write x4, x2, x3
    write x4, x2, x1
    lseek x5, x2, x0
    read x6, x2
    read x7, x2
    close x8, x2
    read x9, x2
    close x10, x2
"""


def test_files() -> None:
    """open(2), read(2), write(2), lseek(2), close(2): what is written is read; EBADF (9) after close."""
    oracle = ran("container", FILES)
    assert [register(oracle, n) for n in range(4, 11)] == [1, 0, 77, 6, 0, -9, -9]


def test_descriptors_run_out() -> None:
    """open(2): the lowest-numbered descriptor not open; EMFILE (24)."""
    oracle = ran("container", "open x1, x0\nsocket x2\nopen x3, x0\nopen x4, x0\nopen x5, x0\nclose x6, x2\nopen x7, x0")
    assert [register(oracle, n) for n in (1, 2, 3, 4, 5, 7)] == [0, 1, 2, 3, -24, 1]


def test_sockets() -> None:
    """bind(2), connect(2): ENOTSOCK (88), ECONNREFUSED (111), EADDRINUSE (98)."""
    text = """
        open x1, x0
        socket x2
        li x3, 5
        bind x4, x1, x3
        connect x5, x2, x3
        bind x6, x2, x3
        connect x7, x2, x3
        bind x8, x2, x3
    """
    oracle = ran("container", text)
    assert [register(oracle, n) for n in range(4, 9)] == [-88, -111, 0, 0, -98]


def test_memory_of_the_group() -> None:
    """mmap(2): ENOMEM (12) at the quota; munmap(2) gives back; the host's pages are not touched."""
    oracle = ran("container", "li x1, 60\nmmap x2, x1\nmmap x3, x1\nmunmap x4, x1\nmmap x5, x1")
    assert [register(oracle, n) for n in range(2, 6)] == [0, -12, 0, 0]
    assert oracle.scalars["host_memory"] == 1024


def test_processes_of_the_group() -> None:
    """fork(2): EAGAIN (11) when the table or pids.max is reached; kill(2): ESRCH (3)."""
    oracle = ran("container", "fork x1\nfork x2\nfork x3\nfork x4\nfork x5\nkill x6, x4\nkill x7, x4\nfork x8")
    assert [register(oracle, n) for n in range(1, 9)] == [0, 1, 2, 3, -11, 0, -3, -11]


def test_a_child_counts_in_a_loop() -> None:
    """The instructions between calls."""
    oracle = ran("container", "li x1, 3\nli x2, 0xffff\nagain: getpid x4\nadd x3, x3, x4\nadd x1, x1, x2\nbnz x1, again")
    assert register(oracle, 3) == 3


def test_shared_memory() -> None:
    """shmget(2): ENOENT (2) without IPC_CREAT."""
    oracle = ran("container", "li x1, 4\nli x2, 1\nshmget x3, x1, x0\nshmget x4, x1, x2\nshmget x5, x1, x0")
    assert [register(oracle, n) for n in (3, 4, 5)] == [-2, 4, 4]


def test_limits() -> None:
    """setrlimit(2): down at will, up only with CAP_SYS_RESOURCE in the initial user namespace."""
    assert register(ran("container", "li x1, 9\nsetrlimit x2, x1\ngetrlimit x3"), 3) == 9
    up = "li x1, 9\nsetrlimit x2, x1\nli x1, 10\nsetrlimit x2, x1"
    assert refused(ran("container", up))
    assert not refused(ran("privileged", up))


def test_mounts() -> None:
    """mount(2), umount2(2): EINVAL (22); a block device only from the initial user namespace (user_namespaces(7))."""
    oracle = ran("container", "li x1, 2\nmount x2, x1, x0\numount2 x3, x1")
    assert [register(oracle, n) for n in (2, 3)] == [0, -22]
    device = "li x1, 2\nli x2, 1\nmount x3, x1, x2"
    assert refused(ran("container", device))
    assert not refused(ran("privileged", device))


def test_chroot_confines() -> None:
    """chroot(2): paths begin at the new root."""
    oracle = ran("container", "li x1, 1\nchroot x2, x1\nli x3, 12\nopen x4, x3", arrays={"own_mounts": {1: 2, 3: 3}})
    assert oracle.arrays["fds"][0] >> 4 & 3 == 2


# -- containment --------------------------------------------------------------------------------------------------------


def test_host_name() -> None:
    """uts_namespaces(7): one's own name changes, and the host's does not; shared, it is the other way round."""
    text = "li x1, 42\nsethostname x2, x1\nuname_nodename x3"
    for config, own, host in (("privileged", 42, 0), ("shared_uts", 0, 42), ("host", 0, 42)):
        oracle = ran(config, text)
        assert register(oracle, 3) == 42
        assert (oracle.scalars["own_name"], oracle.scalars["host_name"]) == (own, host), config
    assert refused(ran("rootful", text))


def test_unshare_copies() -> None:
    """unshare(2): the new uts namespace begins as a copy; from then on the host's name is out of reach."""
    oracle = ran("shared_uts", "li x1, 1\nunshare x2, x1\nuname_nodename x3\nli x4, 9\nsethostname x5, x4", {"host_name": 7})
    assert register(oracle, 3) == 7
    assert (oracle.scalars["own_name"], oracle.scalars["host_name"]) == (9, 7)


def test_reboot_ends_the_namespace() -> None:
    """reboot(2), "Behavior inside PID namespaces": its processes end, those outside live."""
    oracle = ran("container", "reboot x1")
    assert oracle.arrays["own_live"] == dict.fromkeys(range(4), 0)
    assert oracle.arrays["host_live"] == {}
    assert ran("host", "reboot x1").arrays["host_live"] == dict.fromkeys(range(4), 0)


@pytest.mark.parametrize("call", ["clock_settime x1, x2", "init_module x1, x2", "syslog x1"])
def test_the_whole_system_is_the_hosts(call: str) -> None:
    """user_namespaces(7): only a process with privileges in the initial user namespace."""
    assert [refused(ran(config, call)) for config in ("container", "rootful", "privileged", "host")] == [True, True, False, False]
    assert not refused(ran("container", call, {"mode": SUPERVISOR}))
    dropped = dict.fromkeys(("caps.SYS_TIME", "caps.SYS_MODULE", "caps.SYSLOG"), 0)
    assert refused(ran("host", call, dropped))


def test_processes_of_others() -> None:
    """kill(2): the same user or CAP_KILL; pid_namespaces(7): no process outside has a number."""
    text = "li x1, 3\nkill x2, x1"
    for held, owner, result in ((0, 5, 0), (0, 6, None), (1, 6, 0)):
        oracle = ran("host", text, {"caps.KILL": held}, {"host_live": {3: 1}, "host_owner": {3: owner}})
        assert refused(oracle) if result is None else register(oracle, 2) == result
    assert register(ran("container", text), 2) == -3


def test_the_supervisor_answers() -> None:
    """seccomp_unotify(2): it learns why, and the process goes on at the call."""
    oracle = ran("sealed", "li x1, 5\nsysinfo x2")
    assert (oracle.scalars["pc"], oracle.scalars["why"], oracle.scalars["mode"]) == (MONITOR, 2, SUPERVISOR)
    oracle.load(list(assemble(oracle.machine, "ioctl_notif_recv x3\nioctl_notif_send").image()[1]), MONITOR)
    oracle.run(2)
    assert register(oracle, 3) == 2
    assert (oracle.scalars["pc"], oracle.scalars["mode"]) == (1, CONTAINED)


# -- the report ---------------------------------------------------------------------------------------------------------


def test_the_report_names_what_holds_a_call() -> None:
    """With every setting open, each hole names the settings under which it is none."""
    names = ("sethostname", "mmap", "fork", "sysinfo", "clock_settime")
    rows = {row.name: row for row in check(machine("abi/abi.isa", "open"), Options(instructions=names)).rows}
    assert "ns.UTS == 1" in rows["sethostname"].exact_when
    assert set(rows["sethostname"].condition) == {"ns.USER == 1", "ns.UTS == 0"}
    assert rows["mmap"].exact_when == ("quota.MEMORY == 1",)
    (together,) = rows["fork"].exact_when
    assert set(together.split(" and ")) == {"ns.PID == 1", "ns.USER == 1", "quota.PIDS == 1"}
    assert (rows["sysinfo"].condition, rows["sysinfo"].exact_when) == (("filter.SYSINFO == 1",), ())
    assert rows["clock_settime"].condition == ("ns.USER == 1",)


def test_one_namespace_decides() -> None:
    """The pair: with the uts namespace shared, sethostname is control sensitive and no violation without."""
    options = Options(instructions=("sethostname",))
    (shared,) = check(machine("abi/abi.isa", "shared_uts"), options).rows
    (own,) = check(machine("abi/abi.isa", "privileged"), options).rows
    assert (shared.truth("control_sensitive"), shared.violation) == (Truth.YES, Truth.YES)
    assert (own.truth("control_sensitive"), own.violation) == (Truth.NO, Truth.NO)


# -- encodings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", machine("abi/abi.isa", "host").instructions)
def test_encodings_round_trip(name: str) -> None:
    made = machine("abi/abi.isa", "host")
    (encoding,) = made.instructions[name].encodings
    for operands in small.corner_operands(encoding):
        word, width = encode(made, encoding, operands)
        text = disassemble_word(made, word, width, 0x100)
        assert text is not None
        assert assemble_line(made, text, 0x100) == (word, width)


@pytest.mark.parametrize(
    ("name", "number"), [("read", 0), ("getpid", 39), ("reboot", 169), ("sethostname", 170), ("unshare", 272)]
)
def test_call_numbers(name: str, number: int) -> None:
    """syscall(2): the numbers of x86-64."""
    (encoding,) = machine("abi/abi.isa", "host").instructions[name].encodings
    assert encoding.value >> 16 == number


# -- a kernel -----------------------------------------------------------------------------------------------------------

NEWUTS, NEWUSER = 0x04000000, 0x10000000

PROBE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
name = os.uname().nodename.encode()
if libc.unshare(int(sys.argv[1])) != 0:
    print("none")
else:
    print(libc.sethostname(name, len(name)))
"""
"""Sets the host name to what it is, in namespaces of its own."""


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.uname().machine != "x86_64", reason="needs Linux on x86-64")
@pytest.mark.parametrize("uts", [0, 1])
def test_a_kernel_agrees(uts: int) -> None:
    """user_namespaces(7): in a user namespace, sethostname is refused on a shared uts namespace and done on one's own."""
    flags = NEWUSER | NEWUTS * uts
    done = subprocess.run([sys.executable, "-c", PROBE, str(flags)], capture_output=True, text=True, timeout=30, check=True)
    if done.stdout.strip() == "none":
        pytest.skip("the kernel lets no user namespace be made")
    oracle = ran("open", "sethostname x1, x2", {"ns.USER": 1, "ns.UTS": uts})
    assert refused(oracle) == (done.stdout.strip() != "0") == (uts == 0)
