package server

import (
	"net"
	"time"
)

// Config is what the server must know; node fills it from the broker's
// properties.
type Config struct {
	// Listeners are bound in order by Start.
	Listeners []Listener
	// MaxFrame is socket.request.max.bytes: a larger or negative size closes
	// the connection.
	MaxFrame int
	// MaxConnections and MaxConnectionsPerIP are max.connections and
	// max.connections.per.ip; 0 means no limit, Nobody none at all. IPOverrides
	// replaces the second for single addresses (max.connections.per.ip.overrides).
	MaxConnections, MaxConnectionsPerIP int
	IPOverrides                         map[string]int
	// InterBroker names the listener of the other brokers. When it is not the
	// only one MaxConnections does not hold for it.
	InterBroker string
	// IdleTimeout is connections.max.idle.ms; 0 or less means never.
	IdleTimeout time.Duration
	// FrameMemory bounds the bytes of all request frames in work
	// (queued.max.request.bytes); 0 means DefaultFrameMemory.
	FrameMemory int64
	// SendBuffer and ReceiveBuffer are socket.send.buffer.bytes and
	// socket.receive.buffer.bytes; -1 leaves the system's choice.
	SendBuffer, ReceiveBuffer int
}

// Nobody is a limit that lets no connection in.
const Nobody = -1

// Listener is one named address to bind.
type Listener struct {
	// Name is the listener name of Kafka's listeners property, in capitals.
	Name string
	// Protocol is the security protocol's name, PLAINTEXT here.
	Protocol string
	// Address is host:port; port 0 lets the system choose.
	Address string
	// MaxConnections is max.connections of this listener, as in Config.
	MaxConnections int
}

// Bound is a listener after Start.
type Bound struct {
	Listener
	Addr net.Addr
}

const (
	// DefaultFrameMemory keeps the sum of request frames well below what a
	// small machine has, while one largest frame still fits.
	DefaultFrameMemory = 512 << 20
	// inlineBytes is how much a connection reads before it knows a frame's
	// size: most requests other than produce fit, and 10,000 idle
	// connections hold only 5 MB by it.
	inlineBytes = 512
	// growth bounds a frame buffer by the bytes that really arrived.
	growth = 16
	// maxPending is how many replies of one connection may wait; clients
	// pipeline 5 to 8.
	maxPending = 256
	// maxGather is when a batch of replies is written although more are
	// ready: large enough that the system call is noise.
	maxGather = 256 << 10
	// maxPooled is the largest buffer kept for reuse; larger ones are rare
	// and go back to the collector.
	maxPooled = 4 << 20
)
