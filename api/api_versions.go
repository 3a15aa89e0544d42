package api

import (
	"maps"
	"regexp"
	"slices"

	"github.com/gregor-mq/gregor/wire"
)

// ApiVersions v0-4 (KIP-35, KIP-511). The response header is always v0, and a
// version that is none of ours is answered in v0 with the range of this API alone, from
// which clients choose again.

// software is what a client may call itself (KIP-511).
var software = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func (b *Broker) apiVersions(c *context, req *wire.ApiVersionsRequest) {
	resp := wire.NewApiVersionsResponse()
	if c.version() >= 3 && (!software.MatchString(req.ClientSoftwareName) || !software.MatchString(req.ClientSoftwareVersion)) {
		resp.ErrorCode = wire.CodeInvalidRequest
		c.Reply(resp)
		return
	}
	resp.ApiKeys = b.served()
	resp.FinalizedFeaturesEpoch = b.FeatureEpoch()
	c.Reply(resp)
}

// served lists the registry in key order.
func (b *Broker) served() []wire.ApiVersionsResponseApiVersion {
	var out []wire.ApiVersionsResponseApiVersion
	for _, key := range slices.Sorted(maps.Keys(b.table)) {
		if lowest, highest, ok := wire.Versions(key); ok {
			out = append(out, wire.ApiVersionsResponseApiVersion{ApiKey: int16(key), MinVersion: lowest, MaxVersion: highest})
		}
	}
	return out
}

// olderAnswer encodes as version 0 whatever version the request had.
type olderAnswer struct{ wire.ApiVersionsResponse }

// Encode implements wire.Body.
func (r *olderAnswer) Encode(w *wire.Writer, _ int16) error {
	return r.ApiVersionsResponse.Encode(w, 0)
}

func unsupportedApiVersions() wire.Body {
	lowest, highest, _ := wire.Versions(wire.KeyApiVersions)
	r := &olderAnswer{*wire.NewApiVersionsResponse()}
	r.ErrorCode = wire.CodeUnsupportedVersion
	r.ApiKeys = []wire.ApiVersionsResponseApiVersion{{ApiKey: int16(wire.KeyApiVersions), MinVersion: lowest, MaxVersion: highest}}
	return r
}
