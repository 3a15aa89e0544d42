package znode

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// defaultPort is the port of a ZooKeeper server that is named without one.
const defaultPort = "2181"

// ParseConnect splits zookeeper.connect, "host1:port,host2/chroot", into
// host:port addresses and the chroot, which is empty for none. All from the
// first slash on is the chroot.
func ParseConnect(connect string) (servers []string, chroot string, err error) {
	hosts := connect
	if i := strings.IndexByte(connect, '/'); i >= 0 {
		hosts, chroot = connect[:i], connect[i:]
	}
	if chroot == "/" {
		chroot = ""
	}
	if chroot != "" {
		if err := zk.ValidatePath(chroot); err != nil {
			return nil, "", fmt.Errorf("zookeeper.connect %q: chroot: %w", connect, err)
		}
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if host = strings.TrimSpace(host); host == "" {
			continue
		}
		addr, err := parseServer(host)
		if err != nil {
			return nil, "", fmt.Errorf("zookeeper.connect %q: %w", connect, err)
		}
		servers = append(servers, addr)
	}
	if len(servers) == 0 {
		return nil, "", fmt.Errorf("zookeeper.connect %q: names no server", connect)
	}
	return servers, chroot, nil
}

// parseServer reads "host", "host:port" or "[v6]:port" and adds what is missing.
func parseServer(s string) (string, error) {
	host, port := s, defaultPort
	switch i := strings.LastIndexByte(s, ':'); {
	case s[0] == '[':
		end := strings.LastIndexByte(s, ']')
		if end < 2 {
			return "", fmt.Errorf("server %q: want [address] or [address]:port", s)
		}
		rest := s[end+1:]
		host = s[:end+1]
		if rest != "" {
			if len(rest) < 2 || rest[0] != ':' {
				return "", fmt.Errorf("server %q: want :port after ]", s)
			}
			port = rest[1:]
		}
	case i >= 0:
		host = s[:i]
		if i < len(s)-1 {
			port = s[i+1:]
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return "", fmt.Errorf("server %q: want a host and a port in 1..65535", s)
	}
	return host + ":" + port, nil
}
