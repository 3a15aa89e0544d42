package ensemble

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Config is the list of members, by number, and its version: the zxid of the
// change that made it.
type Config struct {
	Version int64
	Servers []Server
}

// NewConfig checks a list of servers, of which no two may share a number or an
// address.
func NewConfig(version int64, servers []Server) (Config, error) {
	c := Config{version, slices.Clone(servers)}
	slices.SortFunc(c.Servers, func(a, b Server) int { return cmp.Compare(a.Number, b.Number) })
	if len(c.Servers) > 0 && len(c.Voters()) == 0 {
		return Config{}, errors.New("at least one server must be a participant")
	}
	taken := map[string]uint64{}
	for i, s := range c.Servers {
		if i > 0 && s.Number == c.Servers[i-1].Number {
			return Config{}, fmt.Errorf("server.%d is there twice", s.Number)
		}
		for _, addr := range []string{s.Peer(), fmt.Sprintf("%s:%d", s.Host, s.ElectionPort)} {
			if other, ok := taken[addr]; ok && other != s.Number {
				return Config{}, fmt.Errorf("server.%d and server.%d share the address %s", other, s.Number, addr)
			}
			taken[addr] = s.Number
		}
	}
	return c, nil
}

// ParseConfig reads the content of /zookeeper/config, or a list of server lines
// divided by newlines or commas.
func ParseConfig(text string) (Config, error) {
	version, servers, err := parseLines(text)
	if err != nil {
		return Config{}, err
	}
	return NewConfig(version, servers)
}

// parseLines reads servers that need not make an ensemble.
func parseLines(text string) (version int64, servers []Server, err error) {
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == ',' }) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		number, isServer := strings.CutPrefix(strings.TrimSpace(name), "server.")
		switch {
		case line == "":
		case ok && name == "version":
			v, err := strconv.ParseUint(value, 16, 64)
			if err != nil {
				return 0, nil, fmt.Errorf("%s: must be a hexadecimal zxid", line)
			}
			version = int64(v)
		case ok && isServer:
			s, err := ParseServer(number, strings.TrimSpace(value))
			if err != nil {
				return 0, nil, err
			}
			servers = append(servers, s)
		default:
			return 0, nil, fmt.Errorf("%q: is no line server.N=…", line)
		}
	}
	return version, servers, nil
}

// String is the content of /zookeeper/config.
func (c Config) String() string {
	var b strings.Builder
	for _, s := range c.Servers {
		b.WriteString(s.String())
		b.WriteByte('\n')
	}
	return b.String() + "version=" + strconv.FormatUint(uint64(c.Version), 16)
}

// Find returns the server of a number.
func (c Config) Find(number uint64) (Server, bool) {
	i := slices.IndexFunc(c.Servers, func(s Server) bool { return s.Number == number })
	if i < 0 {
		return Server{}, false
	}
	return c.Servers[i], true
}

// Voters are the numbers of those that are no observers.
func (c Config) Voters() []uint64 {
	var out []uint64
	for _, s := range c.Servers {
		if !s.Observer {
			out = append(out, s.Number)
		}
	}
	return out
}

// Change returns the members after a reconfiguration (Reconfig, opcode 16): either
// a whole new list, or servers that leave and join, divided by commas. A server
// that joins under the number of another replaces it.
func (c Config) Change(joining, leaving, members *string) (Config, error) {
	if members != nil {
		next, err := ParseConfig(*members)
		if err == nil && len(next.Servers) == 0 {
			err = errors.New("at least one server must be a participant")
		}
		return next, err
	}
	next := slices.Clone(c.Servers)
	for _, text := range list(leaving) {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return Config{}, fmt.Errorf("leaving %q: must be the number of a server", text)
		}
		next = slices.DeleteFunc(next, func(s Server) bool { return s.Number == n })
	}
	for _, text := range list(joining) {
		_, join, err := parseLines(text)
		if err != nil {
			return Config{}, fmt.Errorf("joining: %w", err)
		}
		for _, s := range join {
			if s.Client == "" {
				return Config{}, fmt.Errorf("joining %s: needs a client port behind a semicolon", s)
			}
			next = slices.DeleteFunc(next, func(o Server) bool { return o.Number == s.Number })
			next = append(next, s)
		}
	}
	if len(next) == 0 {
		return Config{}, errors.New("at least one server must be a participant")
	}
	return NewConfig(c.Version, next)
}

func list(text *string) []string {
	if text == nil {
		return nil
	}
	var out []string
	for s := range strings.SplitSeq(*text, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}
