// The recipe of many a Laravel application: the token is in the cache, and whoever misses it fetches it. The first line of STDIN says where. Each
// further one tells when callers come, in seconds since 1970, and is answered at once; the next one, empty, asks what they got.
[$url, $key, $secret] = json_decode(fgets(STDIN));
answer(true);

$token = function () use ($cache, $url, $key, $secret) {
    if ($token = $cache->get('dingding_access_token')) {
        return $token;
    }
    $query = http_build_query(['corpid' => $key, 'corpsecret' => $secret]);
    $reply = json_decode(file_get_contents("$url/gettoken?$query", false, stream_context_create(['http' => ['timeout' => 1.5]])), true);
    $cache->put('dingding_access_token', $reply['access_token'], Illuminate\Support\Carbon::now()->addSeconds(7000));
    return $reply['access_token'];
};

$outcome = null;
while (($line = fgets(STDIN)) !== false) {
    if (($calls = json_decode($line)) === null) {
        answer($outcome);
        continue;
    }
    [$begin, $n, $every] = $calls;
    answer(true);
    $outcome = ['Failed' => 0, 'Waits' => [], 'Tokens' => [], 'Errors' => []];
    for ($i = 0; $i < $n; $i++) {
        $came = $begin + $i * $every;
        if (($early = $came - microtime(true)) > 0) {
            usleep((int) ($early * 1e6));
        }
        try {
            $outcome['Tokens'][$token()] = true;
        } catch (Throwable $e) {
            $outcome['Failed']++;
            $outcome['Errors'][get_class($e)] = true;
        }
        $outcome['Waits'][] = (int) ((microtime(true) - $came) * 1e9);
    }
    $outcome['Tokens'] = array_keys($outcome['Tokens']);
    $outcome['Errors'] = array_keys($outcome['Errors']);
}
