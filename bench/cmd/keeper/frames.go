package main

import (
	"encoding/binary"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/zk"
)

// frames appends request number seq of a session, as load.Crowding takes it. All is
// encoded beforehand; only numbers change.
type frames func(dst []byte, session, seq int) []byte

// request prepares the frames of so many sessions.
type request func(sessions int) frames

// Where the numbers are: the length, the xid, the operation, the length of the path
// and the path come first.
const (
	atXID  = zk.LengthSize
	atPath = zk.LengthSize + 3*4
)

// fixed is the same request of each session again and again.
func fixed(sessions int, req func(session int) zk.Request) frames {
	all := make([][]byte, sessions)
	for i := range all {
		all[i] = zk.AppendRequest(nil, 0, req(i))
	}
	return func(dst []byte, session, seq int) []byte { return appendFrame(dst, all[session], seq) }
}

func appendFrame(dst, frame []byte, seq int) []byte {
	binary.BigEndian.PutUint32(frame[atXID:], uint32(load.XID(seq)))
	return append(dst, frame...)
}

func set(sessions int) frames {
	return fixed(sessions, func(i int) zk.Request {
		return &zk.SetDataRequest{Path: node(i), Data: make([]byte, dataSize), Version: -1}
	})
}

func get(sessions int) frames {
	return fixed(sessions, func(i int) zk.Request { return &zk.GetDataRequest{Path: node(i)} })
}

// mix sets with every tenth request; sessions do so at different times.
func mix(sessions int) frames {
	sets, gets := set(sessions), get(sessions)
	return func(dst []byte, session, seq int) []byte {
		if (session+seq)%10 == 0 {
			return sets(dst, session, seq)
		}
		return gets(dst, session, seq)
	}
}

// create makes node after node below one of the session's own.
func create(sessions int) frames {
	const digits = "00000000"
	parents := fixed(sessions, func(i int) zk.Request {
		return &zk.CreateRequest{Path: node(i) + "/" + digits, Data: make([]byte, dataSize), ACL: zk.OpenACL()}
	})
	return func(dst []byte, session, seq int) []byte {
		start := len(dst)
		dst = parents(dst, session, seq)
		number := dst[start+atPath+len(node(0))+1:][:len(digits)]
		for i := len(number) - 1; i >= 0; i-- {
			number[i] = byte('0' + seq%10)
			seq /= 10
		}
		return dst
	}
}

// watch reads a node and leaves a watch there; all sessions take the same one.
func watch(int) frames {
	one := fixed(1, func(int) zk.Request { return &zk.GetDataRequest{Path: node(0), Watch: true} })
	return func(dst []byte, _, seq int) []byte { return one(dst, 0, seq) }
}
