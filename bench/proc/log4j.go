package proc

import "slices"

// log4j logs what Kafka's own config/log4j.properties logs, at its levels, to
// the console and to its files.
var log4j = append([]string{
	"log4j.rootLogger=INFO, stdout, kafkaAppender",
	"log4j.appender.stdout=org.apache.log4j.ConsoleAppender",
	"log4j.appender.stdout.layout=org.apache.log4j.PatternLayout",
	"log4j.appender.stdout.layout.ConversionPattern=" + pattern,
	"log4j.logger.org.apache.zookeeper=INFO",
	"log4j.logger.kafka=INFO",
	"log4j.logger.org.apache.kafka=INFO",
}, slices.Concat(
	appender("kafkaAppender", "server"),
	appender("requestAppender", "kafka-request"),
	logger("kafka.request.logger", "WARN", "requestAppender"),
	logger("kafka.network.RequestChannel$", "WARN", "requestAppender"),
	appender("controllerAppender", "controller"),
	logger("org.apache.kafka.controller", "INFO", "controllerAppender"),
	logger("kafka.controller", "TRACE", "controllerAppender"),
	appender("cleanerAppender", "log-cleaner"),
	logger("kafka.log.LogCleaner", "INFO", "cleanerAppender"),
	appender("stateChangeAppender", "state-change"),
	logger("state.change.logger", "INFO", "stateChangeAppender"),
	appender("authorizerAppender", "kafka-authorizer"),
	logger("kafka.authorizer.logger", "INFO", "authorizerAppender"),
)...)

const pattern = "[%d] %p %m (%c)%n"

// appender is a file that rolls every hour.
func appender(name, file string) []string {
	p := "log4j.appender." + name
	return []string{
		p + "=org.apache.log4j.DailyRollingFileAppender",
		p + ".DatePattern='.'yyyy-MM-dd-HH",
		p + ".File=${kafka.logs.dir}/" + file + ".log",
		p + ".layout=org.apache.log4j.PatternLayout",
		p + ".layout.ConversionPattern=" + pattern,
	}
}

// logger writes to one appender and to no other.
func logger(name, level, to string) []string {
	return []string{"log4j.logger." + name + "=" + level + ", " + to, "log4j.additivity." + name + "=false"}
}
