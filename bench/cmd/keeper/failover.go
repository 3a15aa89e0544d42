package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/zk"
)

// failover kills the leader and asks the others at once, again and again, to write.
func failover(ctx context.Context, s *stage) error {
	if _, err := s.Start(ctx, ready); err != nil {
		return err
	}
	if err := makeNodes(ctx, s.addr(), []string{"/load", node(0)}); err != nil {
		return err
	}
	// Every member has served before: what a new leader does first is no start-up.
	for _, addr := range s.Addrs() {
		for range s.sizes.opened / 10 {
			if err := load.Knock(ctx, addr, write); err != nil {
				return err
			}
		}
	}
	leader, err := s.leader(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	began := time.Now()
	s.Kill(leader)
	served := make(chan error, len(s.Addrs()))
	for i, addr := range s.Addrs() {
		if i != leader {
			go func() { served <- load.KnockUntil(ctx, addr, write, knockPatience) }()
		}
	}
	if err := <-served; err != nil {
		return err
	}
	s.report("write", time.Since(began).Seconds())
	return nil
}

var write = &zk.SetDataRequest{Path: node(0), Data: make([]byte, dataSize), Version: -1}

// leader asks all members who leads.
func (s *stage) leader(ctx context.Context) (int, error) {
	for i, addr := range s.Addrs() {
		text, err := word(ctx, addr, "srvr")
		if err != nil {
			return 0, err
		}
		if strings.Contains(text, "Mode: leader") {
			return i, nil
		}
	}
	return 0, errors.New("no member leads")
}

// word asks for what a four-letter word tells.
func word(ctx context.Context, addr, w string) (string, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, w); err != nil {
		return "", err
	}
	text, err := io.ReadAll(nc)
	if err != nil {
		err = fmt.Errorf("%s of %s: %w", w, addr, err)
	}
	return string(text), err
}
