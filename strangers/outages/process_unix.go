//go:build strangers && unix

package main

import (
	"os"
	"syscall"
)

func (e *endpoint) stop(*way) error {
	if err := e.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return e.process.Wait()
}

func (e *endpoint) kill(*way) error {
	if err := e.process.Process.Signal(os.Kill); err != nil {
		return err
	}
	_ = e.process.Wait() // which says that it was killed
	return nil
}

func (e *endpoint) freeze(*way) error { return e.process.Process.Signal(syscall.SIGSTOP) }
func (e *endpoint) thaw(*way) error   { return e.process.Process.Signal(syscall.SIGCONT) }
