//go:build !unix || solaris || aix

package journal

import "os"

// lock does nothing here: that one process has the directory is up to the user.
func lock(*os.File) error { return nil }

// syncDir does nothing here, where directories cannot be synced.
func syncDir(string) error { return nil }
