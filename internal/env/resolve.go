package env

import (
	"context"
	"errors"
	"net"
)

// LookupAddr returns the names of an IP address, as its owner's DNS tells them.
// A network without names (one in memory) has errors.ErrUnsupported.
func LookupAddr(ctx context.Context, n Net, addr string) ([]string, error) {
	if r, ok := n.(interface {
		LookupAddr(ctx context.Context, addr string) ([]string, error)
	}); ok {
		return r.LookupAddr(ctx, addr)
	}
	return nil, errors.ErrUnsupported
}

func (realNet) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	return net.DefaultResolver.LookupAddr(ctx, addr)
}
