package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// Keys of shapeFile.
const (
	brokersKey    = "brokers"
	portKey       = "port"
	keeperPortKey = "keeper.port"
)

// flagOf is the flag that gives a key of shapeFile.
func flagOf(key string) string { return strings.ReplaceAll(key, ".", "-") }

// maxBrokers bounds a local cluster: it is one machine.
const maxBrokers = 100

// shape is what a cluster has from its first day on.
type shape struct {
	brokers, port, keeperPort int
}

func (s shape) encode() []byte {
	return fmt.Appendf(nil, "# A local cluster of gregor: gregor cluster up --dir here\n%s=%d\n%s=%d\n%s=%d\n",
		brokersKey, s.brokers, portKey, s.port, keeperPortKey, s.keeperPort)
}

func parseShape(src []byte) (shape, error) {
	var s shape
	for line := range strings.Lines(string(src)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		at := s.field(key)
		if at == nil {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return shape{}, fmt.Errorf("%s=%s: must be a number", key, value)
		}
		*at = n
	}
	return s, s.check()
}

func (s *shape) field(key string) *int {
	switch key {
	case brokersKey:
		return &s.brokers
	case portKey:
		return &s.port
	case keeperPortKey:
		return &s.keeperPort
	}
	return nil
}

// check refuses shapes that no cluster can have.
func (s *shape) check() error {
	if s.brokers < 1 || s.brokers > maxBrokers {
		return fmt.Errorf("%s is %d: must be from 1 to %d", brokersKey, s.brokers, maxBrokers)
	}
	const lastPort = 1<<16 - 1
	if s.port < 1 || s.port+s.brokers-1 > lastPort {
		return fmt.Errorf("%s is %d: %d brokers need ports from 1 to %d", portKey, s.port, s.brokers, lastPort)
	}
	if s.keeperPort < 1 || s.keeperPort > lastPort {
		return fmt.Errorf("%s is %d: must be from 1 to %d", keeperPortKey, s.keeperPort, lastPort)
	}
	if s.keeperPort >= s.port && s.keeperPort < s.port+s.brokers {
		return fmt.Errorf("%s is %d: that is broker %d's port", keeperPortKey, s.keeperPort, s.keeperPort-s.port)
	}
	return nil
}
