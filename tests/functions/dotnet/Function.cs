// A function as an executable assembly: it speaks the Lambda Runtime API itself, with the HTTP client
// of .NET. AWS's client for it (Amazon.Lambda.RuntimeSupport) comes from NuGet, which the tests do without; and so do
// they without OpenSSL 1.1, which this .NET wants as soon as it reads XML or JSON.
using System;
using System.Net.Http;
using System.Text;

static class Program
{
    static readonly HttpClient client = new HttpClient { Timeout = System.Threading.Timeout.InfiniteTimeSpan };
    static readonly string invocation =
        "http://" + Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/";

    static void Main()
    {
        while (true)
        {
            var next = client.GetAsync(invocation + "next").Result;
            var id = string.Join("", next.Headers.GetValues("Lambda-Runtime-Aws-Request-Id"));
            Answer(id, next.Content.ReadAsStringAsync().Result);
        }
    }

    static void Answer(string id, string input)
    {
        var log = Member(input, "log");
        if (log != null) Console.WriteLine(log);
        if (Member(input, "fail") != null)
        {
            Post(id + "/error", "{\"errorType\":\"boom\",\"errorMessage\":\"boom\"}");
            return;
        }
        var name = Member(input, "name");
        var hello = name == null ? "null" : "\"" + name + "\"";
        Post(id + "/response", "{\"hello\":" + hello + ",\"requestId\":\"" + id + "\"}");
    }

    // A member of the flat events that the test sends; "" for true, null for none.
    static string Member(string json, string name)
    {
        var at = json.IndexOf("\"" + name + "\":", StringComparison.Ordinal);
        if (at < 0) return null;
        var value = json.Substring(at + name.Length + 3).TrimStart();
        return value[0] == '"' ? value.Substring(1, value.IndexOf('"', 1) - 1) : "";
    }

    static void Post(string path, string json)
    {
        var content = new StringContent(json, Encoding.UTF8, "application/json");
        client.PostAsync(invocation + path, content).Result.EnsureSuccessStatusCode();
    }
}
