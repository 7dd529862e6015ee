-- An event for wrk, each with a `z` of its own: what is sent again is not stored again.
local n = 0
local run = (os.getenv("BENCH_RUN") or "0") .. "-"
local head = '{"dl":"https://shop.example/page?page=0f3a9c1d2e4b5a6978","tm":1795193931123,"z":"'
local tail = '","sr":"1920x1080","sd":"30-bit","ul":"en-GB","ua":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/95.0",'
	.. '"de":"UTF-8","tid":"0b5dba7e-8b1a-4a8e-9d6c-0d1f6a6d2d11","cid":"6f9619ff-8b86-5011-b42d-00c04fc964ff",'
	.. '"t":"event","pa":"detail","pr1id":"c1f1d1a9","pr1pr":"12.5","pr1ca":"a/b"}'
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
	n = n + 1
	return wrk.format(nil, nil, nil, head .. run .. n .. tail)
end
