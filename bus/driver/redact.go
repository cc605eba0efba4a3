package driver

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"omnibus/bus/spec"
)

// struckOut stands where a secret was, as net/url writes it.
const struckOut = "xxxxx"

// secretNames are parts of the names of parameters whose values are secrets.
var secretNames = []string{"auth", "bearer", "credential", "jwt", "key", "pass", "pwd", "secret", "sig", "token"}

// Redact returns a URL as errors, logs and screens may show it: without
// credentials, without the values of parameters whose names say that they are
// secrets (password, X-Amz-Security-Token, accessKey), without the same in URLs that
// are values of parameters, and without a fragment's text. All else is as it was.
func Redact(rawURL string) string { return new(redactor).url(rawURL) }

// RedactText returns a text, such as that of an error, without the secrets of a URL
// that [Redact] strikes out. Those of fewer than four characters are left, since they
// are part of other words.
func RedactText(text, rawURL string) string {
	r := new(redactor)
	shown := r.url(rawURL)
	if rawURL != "" {
		text = strings.ReplaceAll(text, rawURL, shown)
	}
	for _, s := range r.secrets {
		if len(s) >= 4 {
			text = strings.ReplaceAll(text, s, struckOut)
		}
	}
	return text
}

// RedactError returns err, with a text without the secrets of a URL: see
// [RedactText].
func RedactError(err error, rawURL string) error {
	text := err.Error()
	if redacted := RedactText(text, rawURL); redacted != text {
		return &redactedError{redacted, err}
	}
	return err
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// A redactor strikes secrets out and remembers them.
type redactor struct{ secrets []string }

// strike takes a secret, escaped or not, and returns what is shown for it.
func (r *redactor) strike(secret string) string {
	r.secrets = append(r.secrets, secret, unescape(secret))
	if _, password, ok := strings.Cut(secret, ":"); ok {
		r.strike(password)
	}
	return struckOut
}

// login is what stands before an @ in a place of a URL where credentials mean
// nothing.
var login = regexp.MustCompile(`[^/?#]+(?:@|%40)`)

func (r *redactor) url(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "(a URL that does not parse)"
	}
	if u.User != nil {
		u.User = url.User(r.strike(u.User.String()))
	}
	if u.Fragment != "" {
		u.Fragment, u.RawFragment = struckOut, "" // no text has reason to quote it
	}
	u.RawQuery = r.query(u.RawQuery)
	place, rest, hasQuery := strings.Cut(u.String(), "?")
	start := 0
	if u.Scheme != "" {
		start = len(u.Scheme) + len(":")
	}
	if u.User != nil {
		start += len("//" + struckOut + "@")
	}
	place = place[:start] + login.ReplaceAllStringFunc(place[start:], func(s string) string {
		return r.strike(strings.TrimSuffix(strings.TrimSuffix(s, "@"), "%40")) + "@"
	})
	if hasQuery {
		place += "?" + rest
	}
	return place
}

func (r *redactor) query(query string) string {
	parameters := strings.Split(query, "&")
	for i, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		plain := unescape(value)
		if shown := r.value(unescape(name), plain); shown != plain {
			r.secrets = append(r.secrets, value)
			parameters[i] = name + "=" + url.QueryEscape(shown)
		}
	}
	return strings.Join(parameters, "&")
}

// value returns what is shown for the value of a parameter.
func (r *redactor) value(name, value string) string {
	name = strings.ToLower(name)
	switch {
	case value == "":
		return value
	case slices.ContainsFunc(secretNames, func(part string) bool { return strings.Contains(name, part) }):
		return r.strike(value)
	case !strings.ContainsAny(value, "/@"):
		return value
	}
	if _, err := url.Parse(value); err != nil {
		return r.strike(value)
	}
	known := len(r.secrets)
	if shown := r.url(value); len(r.secrets) > known {
		return shown
	}
	return value
}

// unescape returns s as it is if it does not unescape.
func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// quoted is a part of a URL in the text of an error of net/url.
var quoted = regexp.MustCompile(`"[^"]*"`)

// ParseURL parses the URL of a queue. It refuses one with credentials or a fragment,
// which mean nothing to any backend. Its errors show nothing of the URL that may be a
// secret.
func ParseURL(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		reason := errors.Unwrap(err).Error() // a url.Error itself repeats the URL
		if strings.Contains(rawURL, "@") {
			reason = quoted.ReplaceAllString(reason, `"`+struckOut+`"`)
		}
		return nil, spec.Errorf(spec.InvalidParameterValue, "the URL does not parse: %s", reason)
	}
	if u.Fragment != "" {
		return nil, spec.Errorf(spec.InvalidParameterValue, "the URL has a fragment, which means nothing here; write a # in it as %%23")
	}
	if u.User != nil {
		return nil, spec.Errorf(spec.InvalidParameterValue, "credentials do not belong in the URL; give them to the backend's own configuration")
	}
	return u, nil
}
