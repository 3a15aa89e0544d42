package cli_test

import (
	"os"
	"testing"

	"github.com/gregor-mq/gregor/test/gregor"
)

func TestMain(m *testing.M) { os.Exit(gregor.Main(m)) }
