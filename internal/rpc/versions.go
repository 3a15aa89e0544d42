package rpc

import (
	"fmt"
	"net"

	"github.com/gregor-mq/gregor/wire"
)

// RoundTrip sends one request over a connection that nobody else uses and reads
// the answer: for the exchanges that come before ordinary requests. limit
// bounds the answer in bytes. The answer is decoded into resp, whose bytes alias
// the returned body.
func RoundTrip(conn net.Conn, h wire.RequestHeader, req, resp wire.Body, limit int) (body []byte, err error) {
	var w wire.Writer
	if err := wire.EncodeRequest(&w, h, req); err != nil {
		return nil, err
	}
	if _, err := conn.Write(w.Bytes()); err != nil {
		return nil, err
	}
	size, err := readSize(conn, limit)
	if err != nil {
		return nil, err
	}
	frame, err := readFull(conn, make([]byte, 0, min(size, readBuffer)), size)
	if err != nil {
		return nil, err
	}
	correlation, body, err := wire.DecodeResponseHeader(frame, h.Key, h.Version)
	if err != nil {
		return nil, err
	}
	if correlation != h.CorrelationID {
		return nil, fmt.Errorf("answer has correlation id %d, expected %d", correlation, h.CorrelationID)
	}
	return body, resp.Decode(body, h.Version)
}

// negotiate asks the peer what it speaks (KIP-35). One that does not know our
// version of the question answers in version 0, with error 35 and the versions
// of the question it knows.
func (c *Client) negotiate(l *link) (map[wire.Key]span, error) {
	_, version, _ := wire.Versions(wire.KeyApiVersions)
	req := &wire.ApiVersionsRequest{ClientSoftwareName: c.cfg.SoftwareName, ClientSoftwareVersion: c.cfg.SoftwareVersion}
	for {
		h := wire.RequestHeader{Key: wire.KeyApiVersions, Version: version, ClientID: &c.cfg.ClientID}
		var resp wire.ApiVersionsResponse
		body, err := RoundTrip(l.conn, h, req, &resp, maxVersions)
		if body == nil {
			return nil, err
		}
		if err != nil || resp.ErrorCode == wire.CodeUnsupportedVersion {
			if err := resp.Decode(body, 0); err != nil {
				return nil, err
			}
		}
		known := map[wire.Key]span{}
		for _, a := range resp.ApiKeys {
			known[wire.Key(a.ApiKey)] = span{a.MinVersion, a.MaxVersion}
		}
		switch lower := min(version-1, max(known[wire.KeyApiVersions].max, 0)); {
		case resp.ErrorCode == 0:
			return known, nil
		case resp.ErrorCode == wire.CodeUnsupportedVersion && version > 0:
			version = lower
		default:
			return nil, resp.ErrorCode
		}
	}
}

// maxVersions bounds the answer to ApiVersions: it is below 1 KiB today.
const maxVersions = 1 << 20
