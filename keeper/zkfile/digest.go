package zkfile

import (
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/gregor-mq/gregor/keeper/tree"
)

// digestVersion is how ZooKeeper has computed digests since 3.6.
const digestVersion = 2

// Digest is what ZooKeeper noted of its whole tree after a transaction.
type Digest struct {
	Zxid    int64
	Version int32
	Sum     uint64
}

// digestOf is a node's part of the digest: parts are added up. Nodes below
// /zookeeper have none.
func digestOf(im *tree.Image) uint64 {
	if strings.HasPrefix(im.Path, "/zookeeper/") {
		return 0
	}
	path := im.Path
	if path == "/" {
		path = ""
	}
	var b [60]byte
	for i, v := range []int64{im.Czxid, im.Mzxid, im.Pzxid, im.Ctime, im.Mtime} {
		binary.BigEndian.PutUint64(b[8*i:], uint64(v))
	}
	for i, v := range []int32{im.Version, im.Creates, im.Aversion} {
		binary.BigEndian.PutUint32(b[40+4*i:], uint32(v))
	}
	binary.BigEndian.PutUint64(b[52:], uint64(im.Owner))
	sum := crc32.ChecksumIEEE([]byte(path))
	sum = crc32.Update(sum, crc32.IEEETable, im.Data)
	return uint64(crc32.Update(sum, crc32.IEEETable, b[:]))
}
