package x500

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// attribute is one type and value; a relative name is a set of them.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type relativeSET []attribute // the suffix tells encoding/asn1 that it is a set

// shortTypes are the types that RFC 2253 names; all others are numbers.
var shortTypes = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.9": "STREET",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// texts are the ASN.1 types that are written as text: UTF8String,
// PrintableString, T61String, IA5String, GeneralString and BMPString.
var texts = []int{12, 19, 20, 22, 27, 30}

var errTrailing = errors.New("bytes behind the name")

// Name returns a DER-encoded name (Certificate.RawSubject) as
// X500Principal.getName does: RFC 2253, the last part first.
func Name(der []byte) (string, error) {
	var parts []relativeSET
	rest, err := asn1.Unmarshal(der, &parts)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	if err != nil {
		return "", fmt.Errorf("distinguished name: %w", err)
	}
	out := make([]string, 0, len(parts))
	for _, p := range slices.Backward(parts) {
		set := make([]string, len(p))
		for i, a := range p {
			set[i] = a.text()
		}
		out = append(out, strings.Join(set, "+"))
	}
	return strings.Join(out, ","), nil
}

func (a attribute) text() string {
	name, short := shortTypes[a.Type.String()]
	if !short {
		name = a.Type.String()
	}
	if !short || a.Value.Class != asn1.ClassUniversal || !slices.Contains(texts, a.Value.Tag) {
		return name + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	return name + "=" + escape(a.Value.Bytes)
}

// escape puts a backslash before what separates parts, and before spaces at the
// ends. The bytes of every kind of text are taken for UTF-8, as Java does here.
func escape(value []byte) string {
	s := string([]rune(string(value))) // what is no UTF-8 becomes U+FFFD
	isSpace := func(r rune) bool { return r == ' ' || r == '\r' }
	lead := len(s) - len(strings.TrimLeftFunc(s, isSpace))
	trail := len(strings.TrimRightFunc(s, isSpace))
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(",=+<>#;\"\\", r), i < lead, i >= trail:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == 0:
			b.WriteString(`\00`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
