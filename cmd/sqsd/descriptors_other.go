//go:build !unix

package main

// descriptorLimit returns how many sockets the program may have open: no limit is
// known.
func descriptorLimit() int { return 1 << 20 }
