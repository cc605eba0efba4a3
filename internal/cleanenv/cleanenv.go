// Package cleanenv has tests do the same on every machine. A test imports it for that
// alone: before anything runs it takes from the environment what the AWS SDK, omnibus and
// sqsd read there, such as AWS_PROFILE, AWS_REGION, BUS_URL and SQSD_ADDR, and has the
// SDK neither read the user's files nor ask for an instance's credentials. The time zone
// is UTC. Programs that a test starts have the same environment.
package cleanenv

import (
	"os"
	"strings"
	"time"
)

func init() {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if name == "BUS_URL" || strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "SQSD_") {
			os.Unsetenv(name)
		}
	}
	os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	os.Setenv("TZ", "UTC")
	time.Local = time.UTC
}
