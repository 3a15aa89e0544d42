package chaos

import (
	"errors"
	"fmt"
	"path/filepath"
)

const (
	// subnet is the addresses of all hosts; nothing leads out of it.
	subnet = "10.77.0."
	// nobody is a hardware address that no host has: what is sent there is
	// lost without a word, as on a cut line.
	nobody = "02:de:ad:00:00:01"
)

// host is a network namespace with one address. The clients' host is this
// process's own namespace, which holds the bridge.
type host struct {
	name   string // "" for the clients'
	ip     string
	device string
}

var clients = host{ip: subnet + "1", device: "bridge"}

// newBridge joins all hosts that are added to it.
func newBridge() error {
	return errors.Join(
		command("ip", "link", "add", clients.device, "type", "bridge"),
		command("ip", "addr", "add", clients.ip+"/24", "dev", clients.device),
		command("ip", "link", "set", clients.device, "up"),
	)
}

// removeBridge undoes newBridge.
func removeBridge() error { return command("ip", "link", "del", clients.device) }

// newHost makes a namespace and plugs it into the bridge.
func newHost(name string, number int) (host, error) {
	h := host{name: name, ip: fmt.Sprint(subnet, number), device: "eth0"}
	err := command("ip", "netns", "add", name)
	if err == nil {
		err = command("ip", "link", "add", "to-"+name, "type", "veth", "peer", "name", h.device, "netns", name)
	}
	if err != nil {
		return host{}, err
	}
	return h, errors.Join(
		command("ip", "link", "set", "to-"+name, "master", clients.device, "up"),
		h.ipIn("addr", "add", h.ip+"/24", "dev", h.device),
		h.ipIn("link", "set", h.device, "up"),
		h.ipIn("link", "set", "lo", "up"),
	)
}

// remove takes the host away, and its cable with it.
func (h host) remove() error { return command("ip", "netns", "del", h.name) }

// ipIn runs ip in the namespace of the host.
func (h host) ipIn(args ...string) error {
	if h.name != "" {
		args = append([]string{"-n", h.name}, args...)
	}
	return command("ip", args...)
}

// enter is the command under which a process runs on the host.
func (h host) enter() []string {
	return []string{"nsenter", "--net=" + filepath.Join(scratch, "netns", h.name), "--"}
}

// cut loses what one host sends to another from now on, connections that are
// open included.
func (h host) cut(to host) error {
	return h.ipIn("neigh", "replace", to.ip, "lladdr", nobody, "dev", h.device, "nud", "permanent")
}

// join undoes cut, if nothing has before.
func (h host) join(to host) error {
	return h.ipIn("neigh", "flush", "to", to.ip, "dev", h.device, "nud", "permanent")
}
