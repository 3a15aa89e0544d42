//go:build interop

package oracle

import (
	"os"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
)

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }
