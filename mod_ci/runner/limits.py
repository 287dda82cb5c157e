"""What a program that the runner starts may use."""

import os
from dataclasses import dataclass, replace

MIB = 1024 * 1024

# The kernel counts this one per user, other programs of the runner's user included,
# so it only bounds a fork bomb between two looks of the keeper.
PROCESSES_OF_THE_USER = 4096


@dataclass(frozen=True)
class Limits:
    """Limits of one program and all that it starts; 0 is no limit.

    time_s: wall time. memory_bytes: all processes together. output_bytes: what it prints
    and the files it leaves, together. processes: how many at once, threads
    counted. files: how many it
    leaves. core_bytes: of a core dump, which comes on top; 0 for none.
    """

    time_s: float
    memory_bytes: int = 0
    output_bytes: int = 0
    processes: int = 0
    files: int = 10_000
    core_bytes: int = 0

    def narrowed(self, time_s: float | None, memory_bytes: int | None) -> "Limits":
        """These limits, or the lower ones that somebody else asks for."""
        memory = [limit for limit in (self.memory_bytes, memory_bytes) if limit]
        return replace(
            self,
            time_s=min(self.time_s, time_s or self.time_s),
            memory_bytes=min(memory, default=0),
        )

    def for_launch(self) -> list[str]:
        """The kernel's limits, per process, as `launch.py` takes them."""
        # Reserved is not used: runtimes reserve far more address space than they touch, so
        # this one is loose and the keeper measures what is really resident.
        address_space = 4 * self.memory_bytes + 1024 * MIB if self.memory_bytes else 0
        cpu_seconds = int(self.time_s * (os.cpu_count() or 1)) + 5
        processes = PROCESSES_OF_THE_USER if self.processes else 0
        limits = (address_space, self.output_bytes, cpu_seconds, processes, self.core_bytes)
        return [str(value) for value in limits]
