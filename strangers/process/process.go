//go:build strangers

// Package process is what the programs that measure servers share.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is that of /proc/PID/stat, on Linux.
const clockTick = 10 * time.Millisecond

// OnlyLoopback returns an error if others could reach this machine, or network
// namespace, by one of its interfaces.
func OnlyLoopback() error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback == 0 {
			return fmt.Errorf("interface %s is here, and fauxqs would listen on it; run this in a network namespace that has only loopback", i.Name)
		}
	}
	return nil
}

// ProcessorTime returns what a process has used of processors so far, user and system.
func ProcessorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := bytes.Cut(text, []byte(") ")) // the name before it may hold spaces
	fields := strings.Fields(string(after))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is %q", pid, text)
	}
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick, errors.Join(errUser, errSystem)
}
