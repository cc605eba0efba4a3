package bustest

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// What tries backends in real time mostly waits, so more goes on at once than there
// are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", strconv.Itoa(max(6, runtime.GOMAXPROCS(0))))
	os.Exit(m.Run())
}
