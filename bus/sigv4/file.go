package sigv4

import (
	"fmt"
	"strings"
)

// ParseKeys reads keys in the form of the file that AWS's tools keep theirs in,
// ~/.aws/credentials:
//
//	[donors]
//	aws_access_key_id = AKIDDONORS
//	aws_secret_access_key = a secret
//
// Each section has one key; what else it has does not count. An error begins with
// the line, and has no secret in it.
func ParseKeys(text string) (Keys, error) {
	keys := Keys{}
	var section, id, secret string
	begun := 0 // the section's line; 0 before the first
	end := func() error {
		if begun == 0 {
			return nil
		}
		if id == "" || secret == "" {
			return fmt.Errorf("%d: section %s does not have both aws_access_key_id and aws_secret_access_key", begun, section)
		}
		if _, twice := keys[id]; twice {
			return fmt.Errorf("%d: the access key id %s is there twice", begun, id)
		}
		keys[id] = secret
		return nil
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		switch name, value, assigned := strings.Cut(line, "="); {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			if err := end(); err != nil {
				return nil, err
			}
			section, begun, id, secret = line, number, "", ""
		case !assigned:
			return nil, fmt.Errorf("%d: want [section], name = value, or a comment", number)
		case begun == 0:
			return nil, fmt.Errorf("%d: want a [section] before the first name", number)
		default:
			switch strings.TrimSpace(name) {
			case "aws_access_key_id":
				id = strings.TrimSpace(value)
			case "aws_secret_access_key":
				secret = strings.TrimSpace(value)
			}
		}
	}
	if err := end(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%d: no key is there; want a [section] with aws_access_key_id and aws_secret_access_key", number)
	}
	return keys, nil
}
