package wire

import (
	"math"
	"strconv"
)

// Key names an API.
type Key int16

// api is what the schemas say about one API.
type api struct {
	name              string
	min, max          int16
	flexible          int16
	advertised        bool // to clients, by a broker in ZooKeeper mode
	request, response func() Body
}

const neverFlexible = math.MaxInt16

func (k Key) api() *api {
	if k < 0 || int(k) >= len(apis) {
		return nil
	}
	return &apis[k]
}

// String returns Kafka's name of the API, or the number of an unknown one.
func (k Key) String() string {
	if a := k.api(); a != nil {
		return a.name
	}
	return strconv.Itoa(int(k))
}

// Versions returns the lowest and highest version in the schema, and whether
// a broker in ZooKeeper mode advertises the API. An unknown key has no
// versions: max is below min.
func Versions(k Key) (min, max int16, ok bool) {
	a := k.api()
	if a == nil {
		return 0, -1, false
	}
	return a.min, a.max, a.advertised
}

// FlexibleFrom returns the first flexible version, or math.MaxInt16 when
// there is none.
func FlexibleFrom(k Key) int16 {
	if a := k.api(); a != nil {
		return a.flexible
	}
	return neverFlexible
}

// NewRequest returns a request at its schema's defaults, nil for an unknown
// key.
func NewRequest(k Key) Body {
	if a := k.api(); a != nil {
		return a.request()
	}
	return nil
}

// NewResponse returns a response at its schema's defaults, nil for an unknown
// key.
func NewResponse(k Key) Body {
	if a := k.api(); a != nil {
		return a.response()
	}
	return nil
}
