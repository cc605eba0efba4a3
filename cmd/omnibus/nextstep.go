package main

import (
	"errors"
	"net/url"
	"strings"
	"syscall"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

// nextStep returns what may be done about an error, in a sentence, or "".
func (a *app) nextStep(err error) string {
	switch {
	case a.queue == "":
		return ""
	case errors.Is(err, syscall.ECONNREFUSED):
		u, parseErr := url.Parse(a.queue)
		switch {
		case parseErr != nil:
			return ""
		case loopback(u.Hostname()):
			return "nothing listens there; start an endpoint: sqsd -addr " + u.Host
		}
		return "nothing listens at " + u.Host + "; look whether the address is right"
	case gcerrors.Code(err) == gcerrors.NotFound && !strings.Contains(err.Error(), "omnibus create"):
		at := bus.Redact(a.queue)
		return "create it with omnibus create -queue " + at + ", or see what there is: omnibus list -queue " + at
	}
	return ""
}
