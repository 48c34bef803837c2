# frozen_string_literal: true

# Runs a Ruby handler for Tradewind: loads the method that `_HANDLER` names, then answers one
# invocation after another over the inherited socket (frames: `runtimes/README.md`).
#
# A handler must not be able to tell this file from AWS's runtime. What that means here:
# - stdout is written at once, because the host reads the pipe when an answer arrives.
# - What one `puts` or one `Logger` call says is one line of the log: newlines inside become
#   carriage returns, which the host turns back.
# - `JSON` and `Logger` are loaded before user code, which may rely on that.
#
# Runs on Ruby 2.7 and newer, with the standard library only.

require 'json'
require 'logger'

# The request id, under the name that AWS's runtime gives it.
$_global_aws_request_id = nil

# What this file defines lives here, out of the way of user code.
module TradewindRuntime
  INVOKE = 1
  READY = 16
  INIT_ERROR = 17
  RESPONSE = 18
  ERROR = 19
  # What Lambda lets a synchronous invocation return: 6 MiB and 100 bytes.
  MAX_RESPONSE_BYTES = (6 * 1024 * 1024) + 100
  TOO_LARGE = JSON.generate(
    errorType: 'Function.ResponseSizeTooLarge',
    errorMessage: "Response payload size exceeded maximum allowed payload size (#{MAX_RESPONSE_BYTES} bytes)."
  )
  READ_BYTES = 64 * 1024

  # What an INVOKE frame says.
  Invoke = Struct.new(:deadline, :request_id, :arn, :trace, :client_context, :identity, :payload)

  # Whole frames over a pair of blocking pipes.
  class Channel
    def initialize(input_fd, output_fd)
      @input = IO.for_fd(input_fd, 'rb')
      @output = IO.for_fd(output_fd, 'wb')
      [@input, @output].each { |pipe| pipe.close_on_exec = true }
      @output.sync = true
      @data = String.new(encoding: Encoding::BINARY)
    end

    # Blocks until the host has work; ends the process when the host closes its side.
    def receive
      fill(4)
      length = 4 + @data.unpack1('L<')
      fill(length)
      frame = @data.slice!(0, length)
      kind, deadline = frame.unpack('x4Cq<')
      raise "the host sent a frame of kind #{kind}" unless kind == INVOKE

      strings = []
      at = 13
      5.times do
        size = frame.unpack1('L<', offset: at)
        strings << text(frame.byteslice(at + 4, size))
        at += 4 + size
      end
      Invoke.new(deadline, *strings, text(frame.byteslice(at..)))
    end

    def send(kind, body)
      @output.write([1 + body.bytesize, kind].pack('L<C') << body.b)
    end

    def answer(kind, request_id, body)
      send(kind, [request_id.bytesize].pack('L<') << request_id.b << body.b)
    end

    private

    def fill(length)
      @data << @input.sysread([READ_BYTES, length - @data.bytesize].max) while @data.bytesize < length
    rescue EOFError, Errno::ECONNRESET
      exit!(0)
    end

    def text(bytes)
      bytes.force_encoding(Encoding::UTF_8)
    end
  end

  # One record is one line.
  def self.write_record(text)
    $stdout.write("#{text.chomp.gsub("\n", "\r")}\n")
  end

  # Error bodies in Lambda's shape; `origin` is Function, or Init before the first invocation.
  def self.describe(error, origin)
    {
      errorMessage: error.message.dup.force_encoding(Encoding::UTF_8).scrub,
      errorType: "#{origin}<#{error.class}>",
      stackTrace: user_frames(error)
    }
  end

  # An error body as text that fits into an answer.
  def self.encode_error(body)
    text = JSON.generate(body)
    text.bytesize > MAX_RESPONSE_BYTES ? TOO_LARGE : text
  end

  def self.user_frames(error)
    frames = (error.backtrace_locations || error.backtrace || []).map(&:to_s)
    frames.take_while { |frame| !frame.start_with?(__FILE__) }.first(100)
  end

  def self.log_error(title, body)
    puts title
    puts JSON.pretty_generate(body)
  end

  # Adds the request id to what `Logger` writes to the function's log.
  class LogFormatter < Logger::Formatter
    LINE = '%<initial>s, [%<time>s #%<process>d] %<severity>5s %<request>s -- %<program>s: %<message>s'

    def call(severity, time, progname, message)
      record = format(
        LINE,
        initial: severity[0], time: format_datetime(time), process: Process.pid, severity: severity,
        request: $_global_aws_request_id, program: progname, message: msg2str(message)
      )
      "#{record.encode('UTF-8', invalid: :replace, undef: :replace).gsub("\n", "\r")}\n"
    end
  end

  # Loggers that write to the function's log get that formatter; others stay as they are.
  module LoggerPatch
    def initialize(logdev, *args, **options)
      to_log = logdev.nil? || logdev == $stdout || logdev == $stderr
      super(to_log ? $stdout : logdev, *args, **options)
      @default_formatter = LogFormatter.new if to_log
    end
  end

  # The method that `file.method` or `file.Module::Class.method` names.
  class Handler
    FORMS = 'FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME is a Ruby source file FILENAME.rb, ' \
            'CLASS an optional module or class and METHOD a method of it that can be called'

    attr_reader :file

    def initialize(name)
      parts = name.split('.')
      raise ArgumentError, "Invalid handler #{parts}, must be of form #{FORMS}." unless [2, 3].include?(parts.size)

      @file = parts.first
      @method = parts.last
      @class_name = parts[1] if parts.size == 3
    end

    def call(event, context)
      receiver = @class_name ? Kernel.const_get(@class_name) : self
      receiver.__send__(@method, event: event, context: context)
    end
  end

  # What went wrong in an invocation, as the caller reads it, and whether the process can take another one.
  Failure = Struct.new(:body, :fatal)

  # The trace id in the environment. Setting it for each invocation would keep every old value for ever
  # (`setenv` never frees one), so `ENV` answers for it, and it is set for real only when somebody looks at
  # the whole environment or starts a program.
  module TraceId
    NAME = '_X_AMZN_TRACE_ID'
    WHOLE = %i[each each_pair to_h to_hash to_a keys values values_at select filter reject slice inspect
               size length key find_all map any? assoc rassoc clone dup].freeze
    CHILDREN = %i[spawn system exec fork `].freeze

    class << self
      attr_accessor :current

      def publish
        return if @published == @current

        @published = @current
        @store.call(NAME, @current)
      end

      def install
        @store = ENV.method(:[]=).unbind.bind(ENV)
        ENV.singleton_class.prepend(Variables)
        Kernel.prepend(Programs)
        [Kernel, Process].each { |owner| owner.singleton_class.prepend(Programs) }
        IO.singleton_class.prepend(Pipes)
      end
    end

    # What reads one variable.
    module Variables
      def [](name)
        name == NAME ? TraceId.current : super
      end

      def fetch(name, *default, &block)
        name == NAME && TraceId.current ? TraceId.current : super
      end

      def []=(name, value)
        name == NAME ? TraceId.current = value : super
      end
      alias store []=

      %i[key? has_key? include? member?].each do |asked|
        define_method(asked) { |name| name == NAME ? !TraceId.current.nil? : super(name) }
      end

      WHOLE.each do |asked|
        define_method(asked) do |*arguments, &block|
          TraceId.publish
          super(*arguments, &block)
        end
      end
    end

    # What starts a program.
    module Programs
      CHILDREN.each do |start|
        define_method(start) do |*arguments, **options, &block|
          TraceId.publish
          super(*arguments, **options, &block)
        end
      end
    end

    # And reads what it prints.
    module Pipes
      def popen(*arguments, **options, &block)
        TraceId.publish
        super
      end
    end
  end

  # Answers invocations until the host closes the channel.
  class Server
    def initialize(channel, handler)
      @channel = channel
      @handler = handler
    end

    def run
      loop { answer(@channel.receive) }
    end

    private

    def answer(invoke)
      $_global_aws_request_id = invoke.request_id
      TraceId.current = invoke.trace.empty? ? nil : invoke.trace
      result = attempt(invoke)
      if result.is_a?(Failure)
        @channel.answer(ERROR, invoke.request_id, result.body)
        exit!(255) if result.fatal
      else
        @channel.answer(RESPONSE, invoke.request_id, result)
      end
    end

    # The body of the answer, or a Failure.
    def attempt(invoke)
      body = encode(@handler.call(JSON.parse(invoke.payload), LambdaContext.new(invoke)))
      body.bytesize > MAX_RESPONSE_BYTES ? Failure.new(TOO_LARGE, false) : body
    rescue StandardError => e
      failure('Error raised from handler method', e, fatal: false)
    rescue Exception => e # rubocop:disable Lint/RescueException -- `exit` in a handler is a failure, too
      failure('Critical exception from handler', e, fatal: true)
    end

    def encode(result)
      raw = result.is_a?(IO) || (defined?(StringIO) && result.is_a?(StringIO))
      raw ? result.read : result.to_json
    end

    def failure(title, error, fatal:)
      body = TradewindRuntime.describe(error, 'Function')
      TradewindRuntime.log_error(title, body)
      Failure.new(TradewindRuntime.encode_error(body), fatal)
    end
  end

  def self.load_handler(channel)
    handler = Handler.new(ENV.fetch('_HANDLER', ''))
    require handler.file
    handler
  rescue Exception => e # rubocop:disable Lint/RescueException -- a file that cannot be loaded raises ScriptError
    body = describe(e, 'Init')
    log_error("Init error when loading handler #{ENV.fetch('_HANDLER', '')}", body)
    channel.send(INIT_ERROR, encode_error(body))
    exit!(1)
  end

  def self.main
    channel = Channel.new(Integer(ENV.delete('_TRADEWIND_FD')), Integer(ENV.delete('_TRADEWIND_OUT_FD')))
    $stdout.sync = true
    TraceId.install
    root = ENV.fetch('LAMBDA_TASK_ROOT', Dir.pwd)
    $LOAD_PATH.unshift(root) unless $LOAD_PATH.include?(root)
    Logger.prepend(LoggerPatch)
    handler = load_handler(channel)
    channel.send(READY, '')
    Server.new(channel, handler).run
  end
end

# What a handler learns about its invocation.
class LambdaContext
  attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name,
              :memory_limit_in_mb, :function_version, :identity, :client_context, :deadline_ms

  def initialize(invoke)
    @deadline_ms = invoke.deadline
    @aws_request_id = invoke.request_id
    @invoked_function_arn = invoke.arn
    @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
    @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
    @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
    @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
    @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
    @identity = JSON.parse(invoke.identity) unless invoke.identity.empty?
    @client_context = JSON.parse(invoke.client_context) unless invoke.client_context.empty?
  end

  def get_remaining_time_in_millis
    [@deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), 0].max
  end
end

# `puts` without a receiver makes one record of all that it is given.
module Kernel
  private

  def puts(*things)
    TradewindRuntime.write_record(things.flatten.map(&:to_s).join("\n"))
    nil
  end
end

TradewindRuntime.main
