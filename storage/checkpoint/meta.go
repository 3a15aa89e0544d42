package checkpoint

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Meta is meta.properties: which broker of which cluster a directory belongs to.
type Meta struct {
	BrokerID  int32  // -1 when the file has none
	ClusterID string // empty when the file has none
}

// Encode writes the file as java.util.Properties would, with a comment that
// tells the time.
func (m Meta) Encode(now time.Time) []byte {
	return fmt.Appendf(nil, "#\n#%s\nbroker.id=%d\nversion=0\ncluster.id=%s\n",
		now.UTC().Format("Mon Jan 02 15:04:05 MST 2006"), m.BrokerID, escape(m.ClusterID))
}

// DecodeMeta reads meta.properties. ok is false when it says nothing at all
// (empty or comments only). A file that is not version 0 properties is
// ErrMalformed: version 1 was written by a broker in KRaft mode.
func DecodeMeta(src []byte) (m Meta, ok bool, err error) {
	m.BrokerID = -1
	version := "0"
	for i, line := range strings.Split(string(src), "\n") {
		line = strings.TrimLeft(strings.TrimRight(line, "\r"), " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value, cut := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !cut || strings.ContainsAny(line, "\x00") {
			return Meta{}, false, fmt.Errorf("line %d %q is no property: %w", i+1, clip(line), ErrMalformed)
		}
		value = unescape(strings.TrimSpace(value))
		ok = true
		switch key {
		case "version":
			version = value
		case "cluster.id":
			m.ClusterID = value
		case "broker.id":
			id, err := strconv.ParseInt(value, 10, 32)
			if err != nil || id < 0 {
				return Meta{}, false, fmt.Errorf("broker.id %q is no number: %w", clip(value), ErrMalformed)
			}
			m.BrokerID = int32(id)
		}
	}
	if ok && version != "0" {
		return Meta{}, false, fmt.Errorf("version %q, want 0 (1 is KRaft mode): %w", clip(version), ErrMalformed)
	}
	return m, ok, nil
}

// escape does what java.util.Properties does to a value of printable text.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`, "\n", `\n`, "\r", `\r`).Replace(s)
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
