package ensemble

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxMember is the largest number of a server: those above would let session ids
// look like the marks of containers and nodes with a time to live.
const MaxMember = 254

// Server is one line server.N of zoo.cfg or of /zookeeper/config.
type Server struct {
	// Number is the server's, 1 to MaxMember (myid).
	Number uint64
	// Host, QuorumPort and ElectionPort say where it listens for other members.
	// gregor uses the quorum port for everything.
	Host                     string
	QuorumPort, ElectionPort int
	// Observer is a server that has all data and no vote.
	Observer bool
	// Client is where it listens for clients, host:port; empty when only the
	// server itself knows.
	Client string
}

// Peer is where other members find the server, host:port.
func (s Server) Peer() string { return hostPort(s.Host, s.QuorumPort) }

const form = "must be host:port:port[:participant|observer][;[host:]port]"

// ParseServer reads what stands behind server.N=. Of several addresses divided
// by | the first counts.
func ParseServer(number, value string) (Server, error) {
	fail := func(rule string) (Server, error) {
		return Server{}, fmt.Errorf("server.%s=%s: %s", number, value, rule)
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n < 1 || n > MaxMember {
		return fail(fmt.Sprintf("the number must be 1 to %d", MaxMember))
	}
	spec, client, hasClient := strings.Cut(value, ";")
	spec, _, _ = strings.Cut(spec, "|")
	host, rest, ok := cutHost(strings.TrimSpace(spec))
	ports := strings.Split(rest, ":")
	if !ok || host == "" || len(ports) < 2 || len(ports) > 3 {
		return fail(form)
	}
	s := Server{Number: n, Host: host}
	if s.QuorumPort, err = port(ports[0]); err != nil {
		return fail(err.Error())
	}
	if s.ElectionPort, err = port(ports[1]); err != nil {
		return fail(err.Error())
	}
	if len(ports) == 3 {
		switch strings.ToLower(strings.TrimSpace(ports[2])) {
		case "observer":
			s.Observer = true
		case "participant":
		default:
			return fail("its kind must be participant or observer")
		}
	}
	if hasClient {
		if s.Client, err = clientAddr(strings.TrimSpace(client)); err != nil {
			return fail(err.Error())
		}
	}
	return s, nil
}

// cutHost cuts a host, also an IPv6 address in brackets, off its ports.
func cutHost(spec string) (host, rest string, ok bool) {
	if v6, ok := strings.CutPrefix(spec, "["); ok {
		host, rest, ok = strings.Cut(v6, "]:")
		return host, rest, ok
	}
	return strings.Cut(spec, ":")
}

func port(text string) (int, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no port, 1 to 65535", text)
	}
	return int(n), nil
}

// clientAddr reads port or host:port.
func clientAddr(text string) (string, error) {
	host, p := "0.0.0.0", text
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		host, p = strings.Trim(text[:i], "[]"), text[i+1:]
	}
	n, err := port(p)
	if err != nil {
		return "", err
	}
	return hostPort(host, n), nil
}

// hostPort joins both, with an IPv6 address in brackets.
func hostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}

// String is the line as ZooKeeper writes it.
func (s Server) String() string {
	kind := "participant"
	if s.Observer {
		kind = "observer"
	}
	host := s.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	line := fmt.Sprintf("server.%d=%s:%d:%d:%s", s.Number, host, s.QuorumPort, s.ElectionPort, kind)
	if s.Client != "" {
		line += ";" + s.Client
	}
	return line
}
