package driver

// A Wrapper is a [Queue], or an [Opener], around another one. It has the methods of all
// controls, and those controls that the inner one has too: see [Find].
type Wrapper interface {
	// Unwrap returns the inner Queue or Opener.
	Unwrap() any
}

// Find returns v, a Queue or an Opener, as a T, if it and all that it wraps are a T.
func Find[T any](v any) (T, bool) {
	t, ok := v.(T)
	for w, wraps := v.(Wrapper); ok && wraps; w, wraps = v.(Wrapper) {
		v = w.Unwrap()
		_, ok = v.(T)
	}
	if !ok {
		var none T
		return none, false
	}
	return t, true
}
