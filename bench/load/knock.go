package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

const (
	// knockTimeout is the session timeout that a Knock asks for.
	knockTimeout = 30 * time.Second
	// knockPause lies between two tries of KnockUntil.
	knockPause = time.Millisecond
)

// Knock opens a session with a ZooKeeper server, sends one request and returns
// when it is answered. The session is closed, but nobody waits for that.
func Knock(ctx context.Context, addr string, req zk.Request) error {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	hello := &zk.ConnectRequest{Timeout: int32(knockTimeout.Milliseconds()), Password: make([]byte, zk.PasswordSize)}
	if _, err := nc.Write(zk.AppendFrame(nil, hello)); err != nil {
		return err
	}
	var resp zk.ConnectResponse
	frame, err := zk.ReadFrame(nc, nil, zk.MaxReply)
	if err == nil {
		err = zk.Unmarshal(frame, &resp)
	}
	if err == nil && resp.SessionID == 0 {
		err = errors.New("no session granted")
	}
	if err != nil {
		return err
	}
	if _, err := nc.Write(zk.AppendRequest(nil, 1, req)); err != nil {
		return err
	}
	if frame, err = zk.ReadFrame(nc, frame, zk.MaxReply); err != nil {
		return err
	}
	var h zk.ReplyHeader
	if err := zk.Unmarshal(frame, &h); err != nil {
		return err
	}
	if h.Err != zk.OK {
		return fmt.Errorf("%v: %w", req.Op(), h.Err)
	}
	_, err = nc.Write(zk.AppendRequest(nil, 2, zk.CloseRequest{}))
	return err
}

// KnockUntil knocks until it is answered, a try taking no longer than patience.
func KnockUntil(ctx context.Context, addr string, req zk.Request, patience time.Duration) error {
	tick := time.NewTicker(knockPause)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, patience)
		err := Knock(once, addr, req)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", addr, context.Cause(ctx), err)
		}
	}
}
