module github.com/gregor-mq/gregor

go 1.26
