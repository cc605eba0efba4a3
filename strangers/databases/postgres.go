package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// A server is a PostgreSQL server of our own, on a socket in a directory of its own. It
// ends when this process does.
type server struct {
	dir     string
	command *exec.Cmd
}

// startPostgres starts a server, from Debian's package postgresql.
func startPostgres(ctx context.Context) (_ *server, err error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return nil, errors.New("there is no PostgreSQL in /usr/lib/postgresql; apt-get install postgresql")
	}
	bin := filepath.Dir(slices.Max(found))
	dir, err := os.MkdirTemp("", "pg") // a socket's path is 107 bytes at most
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	who := &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	if os.Getuid() == 0 { // as whom the server does not run
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		who.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", s.data(), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = who, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.command = exec.Command(filepath.Join(bin, "postgres"), "-D", s.data(), "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=200",
		"-c", "fsync=off") // the machine is not what is killed
	s.command.SysProcAttr, s.command.Dir, s.command.Stdout, s.command.Stderr = who, dir, log, log
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	db, err := sql.Open("pgx", s.name())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	for {
		if err = db.PingContext(ctx); err == nil {
			return s, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("PostgreSQL does not start: %w: %s", err, text)
		}
	}
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// name returns the name of the server's database, for pgx.
func (s *server) name() string {
	return fmt.Sprintf("host=%s port=5432 user=postgres dbname=postgres", s.dir)
}

// stop ends the server, with its connections, and deletes what it had.
func (s *server) stop() {
	if s.command != nil && s.command.Process != nil {
		_ = s.command.Process.Signal(os.Interrupt) // which ends connections
		_ = s.command.Wait()
	}
	os.RemoveAll(s.dir)
}
