package main

import (
	"fmt"
	"io"
	"runtime/debug"
)

// printVersion prints the module's version, the revision it was built from, and what
// built it.
func printVersion(w io.Writer) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		_, err := fmt.Fprintln(w, "omnibus, built without the information of its version")
		return err
	}
	_, err := fmt.Fprintln(w, versionText(info))
	return err
}

func versionText(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	text := "omnibus " + version
	if revision := settings["vcs.revision"]; revision != "" {
		text += ", revision " + revision
		if at := settings["vcs.time"]; at != "" {
			text += " of " + at
		}
		if settings["vcs.modified"] == "true" {
			text += " with changes"
		}
	}
	return text + ", " + info.GoVersion
}
