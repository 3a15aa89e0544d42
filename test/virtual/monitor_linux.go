package virtual

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"unsafe"
)

// schedIdle is SCHED_IDLE: to run when nobody else wants the processor.
const schedIdle = 5

// cpus is a set of processors as the kernel takes it.
type cpus [1024 / 64]uint64

func (c *cpus) list() (all []int) {
	for i := range len(c) * 64 {
		if c[i/64]&(1<<(i%64)) != 0 {
			all = append(all, i)
		}
	}
	return all
}

// restrainMonitor keeps real time out of the schedule. The runtime's monitor
// thread asks a goroutine to give way when it sees it at work for 10 ms, which
// is also what it sees of a process that waits that long for a processor. On the
// same processor and with the lowest priority it cannot look twice without the
// process having run in between.
func restrainMonitor(seed uint64) error {
	threads, err := threadIDs()
	if err != nil || len(threads) < 2 {
		return fmt.Errorf("find the monitor among the threads %v: %w", threads, err)
	}
	var allowed cpus
	if err := schedule(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(allowed), unsafe.Pointer(&allowed)); err != nil {
		return fmt.Errorf("ask for the processors: %w", err)
	}
	all := allowed.list()
	one := all[seed%uint64(len(all))]
	var mine cpus
	mine[one/64] = 1 << (one % 64)
	for _, id := range threads {
		err = errors.Join(err, schedule(syscall.SYS_SCHED_SETAFFINITY, id, unsafe.Sizeof(mine), unsafe.Pointer(&mine)))
	}
	var priority int32 // the one of this policy
	err = errors.Join(err, schedule(syscall.SYS_SCHED_SETSCHEDULER, threads[1], schedIdle, unsafe.Pointer(&priority)))
	return err
}

// threadIDs lists the threads in the order in which they were started: the
// program's own, and then the monitor.
func threadIDs() ([]int, error) {
	entries, err := os.ReadDir("/proc/self/task")
	var ids []int
	for _, entry := range entries {
		if id, err := strconv.Atoi(entry.Name()); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, err
}

// schedule makes one of the calls that are about a thread's share of processors;
// 0 is the calling thread.
func schedule(trap uintptr, thread int, argument uintptr, data unsafe.Pointer) error {
	if _, _, failed := syscall.RawSyscall(trap, uintptr(thread), argument, uintptr(data)); failed != 0 {
		return os.NewSyscallError("sched", failed)
	}
	return nil
}
