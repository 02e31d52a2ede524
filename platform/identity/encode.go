package identity

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ErrEncoding is text that Encode did not write.
var ErrEncoding = errors.New("not an encoded principal")

const (
	encoding    = "1" // the first field: how the others are to be read
	maxEncoded  = 16 << 10
	maxElements = 1000
)

// Encode returns p as printable ASCII without spaces, for metadata and headers between modules, such as
// "1;0199…;restaurant;0199…,0199…;". It proves nothing: only a trusted peer's is to be believed.
func Encode(p Principal) string {
	var b strings.Builder
	b.WriteString(encoding + ";")
	b.WriteString(url.QueryEscape(p.Subject))
	b.WriteByte(';')
	for i, r := range p.Roles {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(url.QueryEscape(string(r)))
	}
	b.WriteByte(';')
	for i, id := range p.OwnedIDs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(url.QueryEscape(id))
	}
	b.WriteByte(';')
	b.WriteString(url.QueryEscape(p.OnBehalfOf))
	return b.String()
}

// Decode returns the principal that Encode wrote. Anything else, and a role that is not known, is ErrEncoding.
func Decode(s string) (Principal, error) {
	if len(s) > maxEncoded {
		return Principal{}, fmt.Errorf("%w: %d bytes", ErrEncoding, len(s))
	}
	fields := strings.Split(s, ";")
	if len(fields) != 5 || fields[0] != encoding {
		return Principal{}, ErrEncoding
	}
	subject, err := url.QueryUnescape(fields[1])
	if err != nil || subject == "" {
		return Principal{}, fmt.Errorf("%w: subject", ErrEncoding)
	}
	names, err := elements(fields[2])
	if err != nil {
		return Principal{}, err
	}
	p := Principal{Subject: subject}
	for _, name := range names {
		r := Role(name)
		if !r.known() {
			return Principal{}, fmt.Errorf("%w: role %q", ErrEncoding, name)
		}
		p.Roles = append(p.Roles, r)
	}
	if p.OwnedIDs, err = elements(fields[3]); err != nil {
		return Principal{}, err
	}
	if p.OnBehalfOf, err = url.QueryUnescape(fields[4]); err != nil {
		return Principal{}, fmt.Errorf("%w: on behalf of", ErrEncoding)
	}
	return p, nil
}

func elements(field string) ([]string, error) {
	if field == "" {
		return nil, nil
	}
	list := strings.Split(field, ",")
	if len(list) > maxElements {
		return nil, fmt.Errorf("%w: %d elements", ErrEncoding, len(list))
	}
	for i, e := range list {
		s, err := url.QueryUnescape(e)
		if err != nil || s == "" {
			return nil, fmt.Errorf("%w: element %d", ErrEncoding, i)
		}
		list[i] = s
	}
	return list, nil
}
